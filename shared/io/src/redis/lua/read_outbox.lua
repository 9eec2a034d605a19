-- Outbox entries for whoever may send them: what is read under an epoch was committed under it or before it.
-- KEYS epoch outbox
-- ARGV epoch nonce from count
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
return {'done', redis.call('XRANGE', KEYS[2], ARGV[3], '+', 'COUNT', ARGV[4])}

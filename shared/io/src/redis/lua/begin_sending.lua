-- Takes the place of whoever sent before; says what an earlier sender left in doubt.
-- KEYS epoch sending left
-- ARGV epoch nonce before mine
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local now = redis.call('GET', KEYS[2]) or ''
if now ~= ARGV[3] and now ~= ARGV[4] then
  return {'other'}
end
redis.call('SET', KEYS[2], ARGV[4])
return {'done', redis.call('GET', KEYS[3]) or ''}

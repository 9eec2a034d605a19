-- Outbox entries that can never be sent.
-- KEYS epoch outbox counters
-- ARGV epoch nonce positions
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local gone = 0
for i = 3, #ARGV do
  gone = gone + redis.call('XDEL', KEYS[2], ARGV[i])
end
redis.call('HINCRBY', KEYS[3], 'discarded', gone)
return {'done', gone}

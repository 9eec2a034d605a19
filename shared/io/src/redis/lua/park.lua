-- Moves one entry out of the outbox to its member's parked replies, as the text that it is.
-- KEYS epoch outbox parked counters waiting dirty
-- ARGV epoch nonce position member
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local found = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])
if #found == 0 then
  return {'done', 0}
end
redis.call('RPUSH', KEYS[3], found[1][2][2])
redis.call('XDEL', KEYS[2], ARGV[3])
redis.call('HINCRBY', KEYS[4], 'parked', 1)
redis.call('SADD', KEYS[5], ARGV[4])
redis.call('SADD', KEYS[6], 'p:' .. ARGV[4])
return {'done', 1}

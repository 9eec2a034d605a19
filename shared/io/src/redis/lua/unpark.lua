-- Moves a member's parked replies to the end of the outbox, in their order.
-- KEYS epoch outbox parked counters waiting dirty
-- ARGV epoch nonce member
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local entries = redis.call('LRANGE', KEYS[3], 0, -1)
local positions = {}
for i, entry in ipairs(entries) do
  positions[i] = redis.call('XADD', KEYS[2], '*', 'e', entry)
end
redis.call('SREM', KEYS[5], ARGV[3])
if #entries > 0 then
  redis.call('DEL', KEYS[3])
  redis.call('SADD', KEYS[6], 'p:' .. ARGV[3])
  redis.call('HINCRBY', KEYS[4], 'parked', -#entries)
end
return {'done', positions, entries}

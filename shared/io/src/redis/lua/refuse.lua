-- Outbox entries that Telegram refuses for good: moved aside whole, each with the reason.
-- KEYS epoch outbox poison counters
-- ARGV epoch nonce kept, then pairs: position, reason
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local moved = 0
for i = 4, #ARGV, 2 do
  local found = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])
  if #found > 0 then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'from', KEYS[2], 'position', ARGV[i], 'why', ARGV[i + 1],
      unpack(found[1][2]))
    redis.call('XDEL', KEYS[2], ARGV[i])
    moved = moved + 1
  end
end
redis.call('HINCRBY', KEYS[4], 'refused', moved)
return {'done', moved}

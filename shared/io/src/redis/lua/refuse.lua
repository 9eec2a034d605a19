-- Outbox entries that Telegram refuses for good: moved aside whole, each with the reason, and with a word to its conversation: whoever does this may
-- die right after it. Repeated, it finds nothing and says nothing.
-- KEYS epoch outbox poison counters inbox
-- ARGV epoch nonce kept, then triples: position, reason, letter (empty: none)
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local moved = 0
for i = 4, #ARGV, 3 do
  local found = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])
  if #found > 0 then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'from', KEYS[2], 'position', ARGV[i], 'why', ARGV[i + 1],
      unpack(found[1][2]))
    redis.call('XDEL', KEYS[2], ARGV[i])
    if ARGV[i + 2] ~= '' then
      redis.call('XADD', KEYS[5], '*', 'i', ARGV[i + 2])
    end
    moved = moved + 1
  end
end
redis.call('HINCRBY', KEYS[4], 'refused', moved)
return {'done', moved}

-- Outbox entries that were sent, and which messages they became. Not fenced: that they were sent stays true. A word is noted with the entry that it takes
-- out, so that a settling whose answer was lost notes nothing twice.
-- KEYS outbox counters told
-- ARGV words-kept, then pairs: position, word (or '')
local gone = 0
for i = 2, #ARGV, 2 do
  local found = redis.call('XDEL', KEYS[1], ARGV[i])
  gone = gone + found
  if found == 1 and ARGV[i + 1] ~= '' then
    redis.call('RPUSH', KEYS[3], ARGV[i + 1])
  end
end
redis.call('LTRIM', KEYS[3], -ARGV[1], -1)
redis.call('HINCRBY', KEYS[2], 'sent', gone)
return gone

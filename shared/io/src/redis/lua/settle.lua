-- Outbox entries that were sent. Not fenced: that they were sent stays true.
-- KEYS outbox counters
-- ARGV positions
local gone = 0
for _, position in ipairs(ARGV) do
  gone = gone + redis.call('XDEL', KEYS[1], position)
end
redis.call('HINCRBY', KEYS[2], 'sent', gone)
return gone

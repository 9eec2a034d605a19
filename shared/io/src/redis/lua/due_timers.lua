-- Timers whose time has come by this clock, the longest due first, and how long it is until the next one.
-- KEYS timers
-- ARGV limit
local now = string.format('%.0f', clock_ms())
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local next = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local wait = next[2] and string.format('%.0f', next[2] - now) or ''
return {'due', due, wait}

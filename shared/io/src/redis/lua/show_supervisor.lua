-- What a supervisor says of itself, and when by Redis' own clock.
-- KEYS supervisor supervisors
-- ARGV id text kept
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
return redis.status_reply('OK')

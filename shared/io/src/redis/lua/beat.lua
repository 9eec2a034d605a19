-- A worker's heartbeat, and when it came by Redis' own clock.
-- KEYS worker workers
-- ARGV name heartbeat kept bell
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], '')
end
return redis.status_reply('OK')

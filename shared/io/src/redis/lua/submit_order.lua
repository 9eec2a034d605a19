-- Takes in an order; one that is known stays as it is.
-- Times have microseconds, so that two orders of one millisecond keep their order.
-- KEYS orders times open
-- ARGV id order most bell
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  return {'known', known, age(KEYS[2], ARGV[1], now)}
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return {'full'}
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.3f', now), ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[4], '')
return {'new'}

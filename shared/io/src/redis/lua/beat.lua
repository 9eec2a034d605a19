-- A worker's heartbeat, and when it came by Redis' own clock; refused while another process has the name.
-- KEYS worker workers name
-- ARGV worker heartbeat kept bell nonce seq
local by = redis.call('HGET', KEYS[3], 'nonce')
if by and by ~= ARGV[5] then
  return {'taken', by}
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[3], 'nonce', ARGV[5], 'seq', ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], '')
end
return {'done'}

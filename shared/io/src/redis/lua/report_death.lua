-- A process that is known to be dead; its name is free again.
-- KEYS deaths name
-- ARGV worker nonce listed most bell
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1] .. '#' .. ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[3]))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
if redis.call('HGET', KEYS[2], 'nonce') == ARGV[2] then
  redis.call('DEL', KEYS[2])
end
redis.call('PUBLISH', ARGV[5], '')
return redis.status_reply('OK')

-- What an admin was shown and may confirm. The same offer again (its answer was lost) changes nothing.
-- KEYS offer
-- ARGV offer admin bot kept
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'offer', ARGV[1], 'admin', ARGV[2], 'bot', ARGV[3], 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1

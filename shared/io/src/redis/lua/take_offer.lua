-- A confirmation: once, by whom it was shown to, through the bot that showed it, in time.
-- KEYS offer
-- ARGV admin bot within
local offer = redis.call('HMGET', KEYS[1], 'offer', 'admin', 'bot', 'at', 'taken')
if not offer[1] then
  return {'unknown'}
end
if offer[2] ~= ARGV[1] or offer[3] ~= ARGV[2] then
  return {'not_yours'}
end
if offer[5] then
  return {'repeated'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now - tonumber(offer[4]) > tonumber(ARGV[3]) then
  return {'expired'}
end
redis.call('HSET', KEYS[1], 'taken', '1')
return {'yours', offer[1]}

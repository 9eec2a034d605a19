-- All heartbeats (of workers, or of supervisors) that have not run out, each with its age. Their keys follow from the list, so they are not in KEYS.
-- KEYS list
-- ARGV prefix listed
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
local listed = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local found = {}
for i = 1, #listed, 2 do
  local heartbeat = redis.call('GET', ARGV[1] .. listed[i])
  if heartbeat then
    local age = math.max(0, now - tonumber(listed[i + 1]))
    found[#found + 1] = {string.format('%.0f', age), heartbeat}
  end
end
return found

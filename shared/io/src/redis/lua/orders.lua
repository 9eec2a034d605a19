-- Orders with their ages: one of them, or all, the oldest first.
-- KEYS orders times
-- ARGV id or nothing
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = {ARGV[1]}
if ARGV[1] == '' then
  ids = redis.call('ZRANGE', KEYS[2], 0, -1)
end
local found = {}
for _, id in ipairs(ids) do
  local order = redis.call('HGET', KEYS[1], id)
  if order then
    found[#found + 1] = {age(KEYS[2], id, now), order}
  end
end
return found

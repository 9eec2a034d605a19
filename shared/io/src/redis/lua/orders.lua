-- Orders with their ages: one of them, those that are not over, or all; in the order in which they came.
-- KEYS orders times open
-- ARGV which: an id, `open` or `all`
local ids = {ARGV[1]}
local wanted = nil
if ARGV[1] == 'open' then
  wanted = {}
  ids = {}
  for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    wanted[id] = true
  end
end
if ARGV[1] == 'all' or (wanted and next(wanted)) then
  ids = redis.call('ZRANGE', KEYS[2], 0, -1)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local found = {}
for _, id in ipairs(ids) do
  local order = (not wanted or wanted[id]) and redis.call('HGET', KEYS[1], id)
  if order then
    found[#found + 1] = {age(KEYS[2], id, now), order}
  end
end
return found

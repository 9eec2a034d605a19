-- Orders with their ages: one of them, those that are not over, or all.
-- KEYS orders times open
-- ARGV which: an id, `open` or `all`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = {ARGV[1]}
if ARGV[1] == 'all' then
  ids = redis.call('HKEYS', KEYS[1])
elseif ARGV[1] == 'open' then
  ids = redis.call('SMEMBERS', KEYS[3])
end
local found = {}
for _, id in ipairs(ids) do
  local order = redis.call('HGET', KEYS[1], id)
  if order then
    found[#found + 1] = {age(KEYS[2], id, now), order}
  end
end
return found

-- An announcement that stands. Beyond the bound the earliest goes; there is one a change of bots.
-- KEYS announced
-- ARGV field announcement most
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local over = redis.call('HLEN', KEYS[1]) - tonumber(ARGV[3])
if over > 0 then
  local all = redis.call('HGETALL', KEYS[1])
  local standing = {}
  for i = 1, #all, 2 do
    standing[#standing + 1] = {field = all[i], at = tonumber(object(all[i + 1]).at) or 0}
  end
  table.sort(standing, function(a, b)
    if a.at ~= b.at then
      return a.at < b.at
    end
    return a.field < b.field
  end)
  for i = 1, over do
    redis.call('HDEL', KEYS[1], standing[i].field)
  end
end
return redis.status_reply('OK')

-- Puts records that SQL refused back to the end of those on their way. One script, so that none comes back twice.
-- KEYS refused records
-- ARGV positions
local back = 0
for _, at in ipairs(ARGV) do
  local found = redis.call('XRANGE', KEYS[1], at, at)
  if #found > 0 then
    local raw = object(found[1][2][2]).raw
    if type(raw) == 'string' then
      redis.call('XADD', KEYS[2], '*', 'r', raw)
      redis.call('XDEL', KEYS[1], at)
      back = back + 1
    end
  end
end
return back

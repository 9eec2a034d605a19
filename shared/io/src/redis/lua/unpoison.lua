-- Puts entries that were moved aside back to the end of the stream that they came from. One script, so that none comes back twice.
-- KEYS poison outbox records inbox
-- ARGV positions
local back = 0
for _, at in ipairs(ARGV) do
  local found = redis.call('XRANGE', KEYS[1], at, at)
  if #found > 0 then
    local fields, from = {}, nil
    local all = found[1][2]
    for i = 1, #all, 2 do
      if all[i] == 'from' then
        from = all[i + 1]
      elseif all[i] ~= 'position' and all[i] ~= 'why' then
        fields[#fields + 1] = all[i]
        fields[#fields + 1] = all[i + 1]
      end
    end
    if #fields > 0 and (from == KEYS[2] or from == KEYS[3] or from == KEYS[4]) then
      redis.call('XADD', from, '*', unpack(fields))
      redis.call('XDEL', KEYS[1], at)
      back = back + 1
    end
  end
end
return back

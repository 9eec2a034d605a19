-- Channel cursors: forward only, or (seed) only where there is none. A pts has 31 bits, so numbers are exact.
-- KEYS epoch channels
-- ARGV epoch nonce mode, then a list: channel and pts
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local cursors = lists(4)()
for i = 1, #cursors, 2 do
  local known = redis.call('HGET', KEYS[2], cursors[i])
  if not known or (ARGV[3] == 'forward' and tonumber(cursors[i + 1]) > tonumber(known)) then
    redis.call('HSET', KEYS[2], cursors[i], cursors[i + 1])
  end
end
return {'done'}

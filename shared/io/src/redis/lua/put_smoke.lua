-- The result of a smoke test; one of an earlier epoch that comes late does not take a later one's place.
-- KEYS smoke
-- ARGV report epoch kept bell
local known = object(redis.call('GET', KEYS[1]) or '').epoch
if type(known) == 'number' and less(ARGV[2], string.format('%.0f', known)) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], '')
return 1

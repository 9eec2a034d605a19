-- The smoke test's write.
-- KEYS lease probe
-- ARGV lease
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then
  return {'other', held}
end
return {'held', redis.call('HINCRBY', KEYS[2], 'count', 1)}

-- Takes or renews a lead. For how long another has it is told, so that whoever waits comes back when it runs out.
-- KEYS leader
-- ARGV id ttl
local leads = redis.call('GET', KEYS[1])
if leads and leads ~= ARGV[1] then
  return {'other', math.max(0, redis.call('PTTL', KEYS[1]))}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {leads and 'kept' or 'begun'}

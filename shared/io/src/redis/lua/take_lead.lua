-- Takes or renews a lead. A lead that was nobody's begins a tenure; which one it is is told each time, because the answer that told it first may be lost.
-- For how long another has it is told, so that whoever waits comes back when it runs out.
-- KEYS leader tenure
-- ARGV id ttl tenure
local leads = redis.call('GET', KEYS[1])
if leads and leads ~= ARGV[1] then
  return {'other', math.max(0, redis.call('PTTL', KEYS[1]))}
end
local since = leads and redis.call('GET', KEYS[2])
if not since then
  since = ARGV[3]
  redis.call('SET', KEYS[2], since)
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'ours', since}

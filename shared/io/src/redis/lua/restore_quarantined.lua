-- Puts a quarantined conversation back where it was, if nothing has happened there since. Whoever keeps the fresh one in memory finds
-- another version when it commits, and reads again. Open as long ago as it was: if the mark (`due_timers.lua`) has passed that, its member has been
-- reminded or does without, and is again with the next silence.
-- KEYS conversation open quarantine dirty
-- ARGV position name keep-ms
local found = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])
if #found == 0 then
  return {'gone'}
end
local fields = {}
for i = 1, #found[1][2], 2 do
  fields[found[1][2][i]] = found[1][2][i + 1]
end
if fields.whole ~= '1' then
  return {'cut'}
end
local current = redis.call('GET', KEYS[1])
if current and redis.sha1hex(current) ~= fields.fresh then
  return {'moved'}
end
if fields.open ~= '' then
  redis.call('SET', KEYS[1], fields.raw)
  redis.call('ZADD', KEYS[2], fields.open, ARGV[2])
else
  redis.call('SET', KEYS[1], fields.raw, 'PX', ARGV[3])
end
redis.call('SADD', KEYS[4], 'c:' .. ARGV[2])
redis.call('XDEL', KEYS[3], ARGV[1])
return {'done'}

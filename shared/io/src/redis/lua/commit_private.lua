-- A bot's private cursor with all that the updates before it led to.
-- KEYS lease box reach held counters dirty
-- ARGV lease held-max bot, then lists: pts qts date (or nothing), invited, started, stopped, messages to keep
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then
  return {'other', held}
end
local list = lists(4)
local cursor = list()
for i, part in ipairs({'pts', 'qts', 'date'}) do
  local known = redis.call('HGET', KEYS[2], part)
  if cursor[i] and (not known or tonumber(cursor[i]) > tonumber(known)) then
    redis.call('HSET', KEYS[2], part, cursor[i])
  end
end
-- Has it changed, so that the checkpoint has to look?
local function reach(command, member)
  local changed = redis.call(command, KEYS[3], member)
  if changed == 1 then
    redis.call('SADD', KEYS[6], 'r:' .. ARGV[3] .. ':' .. member)
  end
  return changed == 1
end
for _, member in ipairs(list()) do
  if reach('SADD', member) then
    redis.call('HINCRBY', KEYS[5], 'invited_started', 1)
  end
end
for _, member in ipairs(list()) do
  reach('SADD', member)
end
for _, member in ipairs(list()) do
  reach('SREM', member)
end
for _, message in ipairs(list()) do
  redis.call('XADD', KEYS[4], '*', 'u', message)
end
local dropped = redis.call('XTRIM', KEYS[4], 'MAXLEN', ARGV[2])
if dropped > 0 then
  redis.call('HINCRBY', KEYS[5], 'held_dropped', dropped)
end
return {'held'}

-- What became of an order. One that is over stays as it is, one that was forgotten stays forgotten.
-- KEYS leader orders
-- ARGV leader id order bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local known = redis.call('HGET', KEYS[2], ARGV[2])
if known then
  local progress = object(known).progress
  local state = type(progress) == 'table' and progress.state
  if state == 'waiting' or state == 'running' then
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
    redis.call('PUBLISH', ARGV[4], '')
  end
end
return {'done'}

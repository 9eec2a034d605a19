-- What became of an order. One that is over stays as it is, one that was forgotten stays forgotten.
-- KEYS leader orders open
-- ARGV leader id order bell over
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local known = redis.call('HGET', KEYS[2], ARGV[2])
if known then
  local progress = object(known).progress
  local state = type(progress) == 'table' and progress.state
  if state == 'waiting' or state == 'running' then
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
    if ARGV[5] == '1' then
      redis.call('SREM', KEYS[3], ARGV[2])
    end
    redis.call('PUBLISH', ARGV[4], '')
  end
end
return {'done'}

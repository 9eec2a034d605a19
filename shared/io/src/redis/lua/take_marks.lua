-- Takes what has changed since the last checkpoint, unless some of what was taken before is left.
-- KEYS leader checkpoint dirty taken
-- ARGV leader turn
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local left = redis.call('SCARD', KEYS[4])
if left > 0 then
  return {'left', left}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[4])
end
redis.call('HSET', KEYS[2], 'turn', ARGV[2])
return {'taken', redis.call('SCARD', KEYS[4])}

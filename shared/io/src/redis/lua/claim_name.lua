-- Takes a worker's name: one that is free, that is ours, whose process is known to be dead, or that has not beaten since we looked.
-- KEYS name deaths
-- ARGV worker nonce kept, then the nonce and the beat that were seen before, or nothing
local by = redis.call('HMGET', KEYS[1], 'nonce', 'seq')
local free = not by[1] or by[1] == ARGV[2]
  or (by[1] == ARGV[4] and by[2] == ARGV[5])
  or redis.call('ZSCORE', KEYS[2], ARGV[1] .. '#' .. by[1])
if not free then
  return {'held', by[1], by[2]}
end
if by[1] ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'nonce', ARGV[2], 'seq', '0')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'done'}

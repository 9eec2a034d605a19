-- Names the holder who is to be tested.
-- KEYS leader epoch saga
-- ARGV leader epoch nonce since saga bell bot worker
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local seen = redis.call('HMGET', KEYS[2], 'epoch', 'nonce', 'phase', 'bot', 'worker')
local ours = seen[1] == ARGV[2] and seen[2] == ARGV[3]
local repeated = seen[3] == 'smoking' and seen[4] == ARGV[7] and seen[5] == ARGV[8]
if not ours or not (seen[3] == 'fenced' or repeated) then
  return {'elsewhere', record(KEYS[2])}
end
if not repeated then
  redis.call('HSET', KEYS[2], 'phase', 'smoking', 'bot', ARGV[7], 'worker', ARGV[8], 'since', ARGV[4])
end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[6], '')
return {'done'}

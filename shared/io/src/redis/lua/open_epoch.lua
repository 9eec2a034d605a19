-- Lets the holder commit and send.
-- KEYS leader epoch saga
-- ARGV leader epoch nonce since saga bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local seen = redis.call('HMGET', KEYS[2], 'epoch', 'nonce', 'phase')
local ours = seen[1] == ARGV[2] and seen[2] == ARGV[3]
if not ours or not (seen[3] == 'smoking' or seen[3] == 'open') then
  return {'elsewhere', record(KEYS[2])}
end
if seen[3] ~= 'open' then
  redis.call('HSET', KEYS[2], 'phase', 'open', 'since', ARGV[4])
end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[6], '')
return {'done'}

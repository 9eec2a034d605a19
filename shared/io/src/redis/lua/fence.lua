-- Begins an epoch without a holder.
-- KEYS leader epoch saga
-- ARGV leader epoch nonce since saga bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local seen = redis.call('HMGET', KEYS[2], 'epoch', 'nonce', 'phase', 'bot')
local repeated = seen[1] == ARGV[2] and seen[2] == ARGV[3] and seen[3] == 'fenced'
if seen[1] and not repeated and not less(seen[1], ARGV[2]) then
  return {'behind', seen[1]}
end
if not repeated then
  if seen[3] == 'open' and seen[4] then
    redis.call('HSET', KEYS[2], 'prev', seen[4])
  end
  redis.call('HSET', KEYS[2], 'epoch', ARGV[2], 'nonce', ARGV[3], 'phase', 'fenced', 'since', ARGV[4])
  redis.call('HDEL', KEYS[2], 'bot', 'worker')
end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[6], '')
return {'done'}

-- Begins to give a pool its state back: from here on nobody commits, holds a bot or is assigned one.
-- KEYS leader epoch saga assign restoring, then leases
-- ARGV leader epoch nonce since source previous bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local seen = redis.call('HMGET', KEYS[2], 'epoch', 'phase', 'bot', 'prev')
if seen[1] and not less(seen[1], ARGV[2]) then
  return {'behind', seen[1]}
end
local previous = ARGV[6]
if previous == '' then
  previous = (seen[2] == 'open' and seen[3]) or seen[4]
end
redis.call('HSET', KEYS[2], 'epoch', ARGV[2], 'nonce', ARGV[3], 'phase', 'fenced', 'since', ARGV[4])
redis.call('HDEL', KEYS[2], 'bot', 'worker')
if previous then
  redis.call('HSET', KEYS[2], 'prev', previous)
end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
for i = 6, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('HSET', KEYS[5], 'nonce', ARGV[3], 'source', ARGV[5], 'done', 0, 'total', 0)
redis.call('PUBLISH', ARGV[7], '')
return {'done'}

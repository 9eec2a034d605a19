-- Orders that are over and old.
-- KEYS leader orders times open
-- ARGV leader ids
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
  redis.call('SREM', KEYS[4], ARGV[i])
end
return {'done'}

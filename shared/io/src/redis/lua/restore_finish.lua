-- The pool has its state: what is in Redis is a history of its own from here on.
-- KEYS leader restoring lineage checkpoint
-- ARGV leader nonce mark turn bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
if redis.call('HGET', KEYS[2], 'nonce') ~= ARGV[2] then
  return {'another'}
end
redis.call('SET', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[4], KEYS[2])
redis.call('HSET', KEYS[4], 'turn', ARGV[4])
redis.call('PUBLISH', ARGV[5], '')
return {'done'}

-- Gives a worker's name back.
-- KEYS name
-- ARGV nonce
if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])

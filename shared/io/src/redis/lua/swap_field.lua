-- Replaces a hash's field, if it still says what was read.
-- KEYS hash
-- ARGV field read replacement
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1

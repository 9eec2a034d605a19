-- Gives back what is ours.
-- KEYS lease or leader
-- ARGV what it holds when it is ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])

-- A sender has ended: its place is free, and what is in doubt is noted for whoever sends next, in place of what was in doubt before.
-- KEYS sending doubts
-- ARGV mine, and of each bot with sends in doubt: bot doubt
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
for at = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return 1

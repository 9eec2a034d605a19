-- A sender has ended: its place is free, and what is in doubt is noted for whoever sends next, in place of what was in doubt before.
-- KEYS sending left
-- ARGV mine, and what is in doubt (or '')
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[2])
end
return 1

-- A sender has ended: its place is free, or taken by the word that some of what it sent is in doubt.
-- KEYS sending
-- ARGV mine, and what stands there afterwards (or '')
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2])
return 1

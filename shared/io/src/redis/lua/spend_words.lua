-- A message whose reply was acknowledged without its id has been heard: the word without an id gives way to the one with it, or it would be taken for the
-- next message that looks the same. Once a message: asked again, it finds the word that it left.
-- KEYS told
-- ARGV words-kept, then pairs: word without an id, word with it
local spent = 0
for i = 2, #ARGV, 2 do
  if not redis.call('LPOS', KEYS[1], ARGV[i + 1]) and redis.call('LREM', KEYS[1], 1, ARGV[i]) == 1 then
    redis.call('RPUSH', KEYS[1], ARGV[i + 1])
    spent = spent + 1
  end
end
redis.call('LTRIM', KEYS[1], -ARGV[1], -1)
return spent

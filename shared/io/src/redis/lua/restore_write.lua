-- A portion of what a pool is given back: one command a key, as long as this restoring is the one under way.
-- KEYS leader restoring, then keys
-- ARGV leader nonce, then a list a key: the command and what follows the key in it
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
if redis.call('HGET', KEYS[2], 'nonce') ~= ARGV[2] then
  return {'another'}
end
local list = lists(3)
for i = 3, #KEYS do
  local words = list()
  redis.call(words[1], KEYS[i], unpack(words, 2))
end
return {'done'}

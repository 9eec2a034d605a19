-- One command of the leader on one key, then the bell, if one is named.
-- KEYS leader key
-- ARGV leader bell, then a list: the command and what follows the key in it
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local words = lists(3)()
local command = table.remove(words, 1)
-- Nothing to set or to remove is nothing to do.
if #words > 0 or command == 'DEL' then
  redis.call(command, KEYS[2], unpack(words))
  if ARGV[2] ~= '' then
    redis.call('PUBLISH', ARGV[2], '')
  end
end
return {'done'}

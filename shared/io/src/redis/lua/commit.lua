-- A conversation's state, its replies, its records, and the outbox entry that it settles.
-- KEYS epoch counters conversation open outbox records dirty
-- ARGV epoch nonce expected-version stored open-at name settles, then lists: entries, records, counter and change
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  redis.call('HINCRBY', KEYS[2], 'commits_refused', 1)
  return {'fenced', record(KEYS[1])}
end
local settles = ARGV[7]
if settles ~= '' and #redis.call('XRANGE', KEYS[5], settles, settles) == 0 then
  return {'gone'}
end
-- At most 20 digits and the line's end.
local head = redis.call('GETRANGE', KEYS[3], 0, 20)
local version = '0'
if head ~= '' then
  version = string.match(head, '^(%d+)\n')
  if not version then
    return {'unreadable'}
  end
end
if version ~= ARGV[3] then
  return {'stale', version}
end

local list = lists(8)
redis.call('SET', KEYS[3], ARGV[4])
redis.call('SADD', KEYS[7], 'c:' .. ARGV[6])
if ARGV[5] ~= '' then
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[6])
else
  redis.call('ZREM', KEYS[4], ARGV[6])
end
if settles ~= '' then
  redis.call('XDEL', KEYS[5], settles)
end
local positions = {}
for i, entry in ipairs(list()) do
  positions[i] = redis.call('XADD', KEYS[5], '*', 'e', entry)
end
for _, entry in ipairs(list()) do
  redis.call('XADD', KEYS[6], '*', 'r', entry)
end
local changes = list()
for i = 1, #changes, 2 do
  redis.call('HINCRBY', KEYS[2], changes[i], changes[i + 1])
end
redis.call('HINCRBY', KEYS[2], 'commits', 1)
-- Under which epoch: the append-only file then shows who wrote what.
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return {'done', positions}

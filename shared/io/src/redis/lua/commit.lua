-- A conversation's state, its replies, its records, what it tells others, and what it settles.
-- KEYS epoch counters conversation open outbox records inbox timers dirty refused reminded [held]
-- ARGV epoch nonce expected-version stored open-at (empty: nothing is open) active name keep-ms records-at-most, then lists: settles (nothing; `outbox`,
--      `inbox` or `held` and a position; `timer`, its name and when it was due), entries, records, counter and change, told, its timers
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  redis.call('HINCRBY', KEYS[2], 'commits_refused', 1)
  return {'fenced', record(KEYS[1])}
end
local list = lists(10)
local settles = list()
local entries = list()
local records = list()
local places = {outbox = KEYS[5], inbox = KEYS[7], held = KEYS[12]}
local place = places[settles[1]]
if place and #redis.call('XRANGE', place, settles[2], settles[2]) == 0 then
  return {'gone'}
end
if settles[1] == 'timer' and redis.call('ZSCORE', KEYS[8], settles[2]) ~= settles[3] then
  return {'gone'}
end
-- At most 16 digits and the line's end. Only as a commit writes it: `007` is not 7, and whoever read it as that would come back for ever.
local head = redis.call('GETRANGE', KEYS[3], 0, 16)
local version = '0'
if head ~= '' then
  version = string.match(head, '^([1-9]%d*)\n') or string.match(head, '^(0)\n')
  if not version then
    return {'unreadable'}
  end
end
if version ~= ARGV[3] then
  return {'stale', version}
end
-- What is taken is kept until the database has it, also where that has refused it; so what cannot be kept is not taken.
if #records > 0 and redis.call('XLEN', KEYS[6]) + redis.call('XLEN', KEYS[10]) + #records > tonumber(ARGV[9]) then
  return {'full'}
end

redis.call('SADD', KEYS[9], 'c:' .. ARGV[7])
-- Does a silence end with this?
local ends = true
if ARGV[5] == '' then
  -- A tombstone; nobody but Redis judges when it has been kept for long enough.
  redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[8])
  redis.call('ZREM', KEYS[4], ARGV[7])
else
  redis.call('SET', KEYS[3], ARGV[4])
  -- Only what the member did moves him; what others say, a switch and the reminder itself leave him where he is.
  ends = ARGV[6] == '1'
  if ends then
    -- Who is not past the mark is not looked at again, and a worker's clock may lag.
    local mark = tonumber(redis.call('GET', KEYS[11]))
    local at = tonumber(ARGV[5])
    redis.call('ZADD', KEYS[4], string.format('%.0f', mark and math.max(at, mark + 1) or at), ARGV[7])
  else
    redis.call('ZADD', KEYS[4], 'NX', ARGV[5], ARGV[7])
  end
end
if place then
  redis.call('XDEL', place, settles[2])
elseif settles[1] == 'timer' then
  redis.call('ZREM', KEYS[8], settles[2])
end
local positions = {}
for i, entry in ipairs(entries) do
  positions[i] = redis.call('XADD', KEYS[5], '*', 'e', entry)
end
for _, record in ipairs(records) do
  redis.call('XADD', KEYS[6], '*', 'r', record)
end
local changes = list()
for i = 1, #changes, 2 do
  redis.call('HINCRBY', KEYS[2], changes[i], changes[i + 1])
end
for _, told in ipairs(list()) do
  redis.call('XADD', KEYS[7], '*', 'i', told)
end
if ends then
  redis.call('ZREM', KEYS[8], unpack(list()))
end
redis.call('HINCRBY', KEYS[2], 'commits', 1)
-- Under which epoch: the append-only file then shows who wrote what.
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return {'done', positions}

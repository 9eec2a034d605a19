-- Moves a stored conversation that nobody can read aside, whole where it is not too long, and puts a fresh one in its place.
-- KEYS epoch counters conversation open outbox records timers quarantine dirty
-- ARGV epoch nonce seen-bytes fresh name keep-ms id why at kept longest, then lists: entries, records, timers to forget
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
-- Somebody who put something else there meanwhile is not overruled: it is read again.
local bytes = redis.call('STRLEN', KEYS[3])
if string.format('%.0f', bytes) ~= ARGV[3] then
  return {'moved'}
end
local longest = tonumber(ARGV[11])
local whole = bytes <= longest and '1' or '0'
local raw = redis.call('GETRANGE', KEYS[3], 0, longest - 1)
local open = redis.call('ZSCORE', KEYS[4], ARGV[5]) or ''
redis.call('XADD', KEYS[8], 'MAXLEN', ARGV[10], '*', 'id', ARGV[7], 'conversation', ARGV[5], 'why', ARGV[8], 'at', ARGV[9],
  'bytes', ARGV[3], 'whole', whole, 'open', open, 'fresh', redis.sha1hex(ARGV[4]), 'raw', raw)
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[6])
redis.call('ZREM', KEYS[4], ARGV[5])
redis.call('SADD', KEYS[9], 'c:' .. ARGV[5])
local list = lists(12)
for _, entry in ipairs(list()) do
  redis.call('XADD', KEYS[5], '*', 'e', entry)
end
for _, entry in ipairs(list()) do
  redis.call('XADD', KEYS[6], '*', 'r', entry)
end
for _, timer in ipairs(list()) do
  redis.call('ZREM', KEYS[7], timer)
end
redis.call('HINCRBY', KEYS[2], 'quarantined', 1)
return {'done'}

-- Moves an entry that nobody can read, or that SQL never takes, out of the way, whole and with the reason.
-- KEYS stream poison counters
-- ARGV position reason kept
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then
  return redis.status_reply('OK')
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'from', KEYS[1], 'position', ARGV[1], 'why', ARGV[2],
  unpack(found[1][2]))
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'poisoned', 1)
return redis.status_reply('OK')

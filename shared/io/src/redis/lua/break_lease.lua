-- Ends the lease of a holder that is known to be dead.
-- KEYS leader lease
-- ARGV leader worker nonce bell
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'not_leading'}
end
local held = redis.call('GET', KEYS[2])
if not held then
  return {'done'}
end
local lease = object(held)
if lease.worker ~= ARGV[2] or lease.nonce ~= ARGV[3] then
  return {'other', held}
end
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[4], '')
return {'done'}

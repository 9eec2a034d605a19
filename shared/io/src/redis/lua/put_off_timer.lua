-- A due timer that cannot be taken in for now is due again later, or (without a delay) is forgotten: nobody knows what it is.
-- KEYS epoch timers
-- ARGV epoch nonce name due delay-ms
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
if redis.call('ZSCORE', KEYS[2], ARGV[3]) == ARGV[4] then
  if ARGV[5] == '' then
    redis.call('ZREM', KEYS[2], ARGV[3])
  else
    redis.call('ZADD', KEYS[2], string.format('%.0f', clock_ms() + ARGV[5]), ARGV[3])
  end
end
return {'done'}

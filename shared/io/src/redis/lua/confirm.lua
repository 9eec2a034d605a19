-- A write under the open epoch, so that a copy which has it has the epoch too.
-- KEYS epoch counters
-- ARGV epoch nonce
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return {'done'}

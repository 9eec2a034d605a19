-- Notes that every open conversation has been shown where it stands by this bot.
-- KEYS epoch resumed
-- ARGV epoch nonce bot
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
redis.call('HSET', KEYS[2], 'bot', ARGV[3], 'state', 'done')
redis.call('HSETNX', KEYS[2], 'epoch', ARGV[1])
return {'done'}

-- Takes the place of whoever sent before; says what earlier senders left in doubt. Whoever did not say that it has ended leaves whatever stood there,
-- and that is noted with the same step: the taker may die before it has looked. Each bot's doubt stands for itself: the next sender may hear what its
-- own bot said and not what another one did.
-- Where nothing stood in the outbox when the taker's epoch began, nothing is in doubt, whoever left it: what is committed since is the taker's own.
-- KEYS epoch sending doubts
-- ARGV epoch nonce before mine, bot of `before` (or ''), its doubt, 1 where something stood
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local now = redis.call('GET', KEYS[2]) or ''
if now ~= ARGV[3] and now ~= ARGV[4] then
  return {'other'}
end
if ARGV[7] ~= '1' then
  redis.call('DEL', KEYS[3])
elseif now ~= '' and now ~= ARGV[4] and ARGV[5] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
end
redis.call('SET', KEYS[2], ARGV[4])
return {'done', redis.call('HGETALL', KEYS[3])}

-- Who answers now has the open conversations to show where they stand, unless it was the last one to do so; whoever answers next has it to do
-- again. A record without a state is of a program that wrote it when it was done.
-- `at` is when the bots last changed; of a record without it nobody knows.
-- And before anything is committed in the epoch, there is the mark from which on who falls silent is reminded (`due_timers.lua`).
-- KEYS epoch resumed reminded open
-- ARGV epoch nonce bot now
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
redis.call('SET', KEYS[3], first_mark(KEYS[4]), 'NX')
local known = redis.call('HMGET', KEYS[2], 'bot', 'epoch', 'state', 'before', 'at')
if known[1] == ARGV[3] then
  return {'done', known[2] or ARGV[1], known[3] or 'done', known[4] or '', known[5] or ''}
end
-- Where nobody answered before there is nothing to show.
local state = known[1] and 'begun' or 'done'
local before = known[1] or ''
redis.call('HSET', KEYS[2], 'bot', ARGV[3], 'epoch', ARGV[1], 'state', state, 'before', before, 'at', ARGV[4])
return {'done', ARGV[1], state, before, ARGV[4]}

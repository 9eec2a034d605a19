-- Timers whose time has come by this clock, the longest due first, and how long it is until the next one.
-- Nothing sets the reminder: whoever is in the middle of something has been active at some time, and is due so much later. Those whose time has
-- come are given their timers here, from the mark on, which is moved up to them; who does something is past it again (`commit.lua`).
-- Where nobody is reminded there is no mark, so that whoever is silent meanwhile is not reminded of it when that is changed.
-- KEYS epoch open reminded timers
-- ARGV epoch nonce limit timer silence-ms (empty: nobody is reminded)
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local function text(number)
  return string.format('%.0f', number)
end
local now = clock_ms()
local soonest
if ARGV[5] == '' then
  redis.call('DEL', KEYS[3])
else
  local silence = tonumber(ARGV[5])
  local mark = redis.call('GET', KEYS[3])
  if not mark then
    mark = first_mark(KEYS[2])
    redis.call('SET', KEYS[3], mark)
  end
  -- As many as are asked for, and all who were active in the same millisecond as the last of them: the mark does not tell those apart.
  local bound = text(now - silence)
  local last = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. mark, bound, 'WITHSCORES', 'LIMIT', ARGV[3] - 1, 1)
  local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. mark, last[2] or bound, 'WITHSCORES')
  for i = 1, #found, 2 do
    -- As `TimerKey` prints. One that is there is of a program of before the mark.
    redis.call('ZADD', KEYS[4], 'NX', text(found[i + 1] + silence), ARGV[4] .. '@' .. found[i])
    mark = found[i + 1]
  end
  if #found > 0 then
    redis.call('SET', KEYS[3], mark)
  end
  local next = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. mark, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  soonest = next[2] and next[2] + silence
end
local due = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local next = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if next[2] then
  soonest = math.min(soonest or math.huge, tonumber(next[2]))
end
return {'due', due, soonest and text(math.max(0, soonest - now)) or ''}

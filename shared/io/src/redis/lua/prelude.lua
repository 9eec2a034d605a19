-- What every script begins with. Epochs, nonces and versions are compared as text: a Lua number is exact only up to 2^53.

-- Is the decimal number a below b? Neither has leading zeros.
local function less(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

-- The epoch record, false where a field is absent.
local function record(key)
  return redis.call('HMGET', key, 'epoch', 'nonce', 'phase', 'bot', 'worker', 'prev', 'since')
end

-- May a writer with this stamp write?
local function epoch_open(key, epoch, nonce)
  local now = redis.call('HMGET', key, 'epoch', 'nonce', 'phase')
  return now[1] == epoch and now[2] == nonce and now[3] == 'open'
end

-- Reads counted lists from ARGV, one after the other: how many, then each.
local function lists(from)
  local at = from
  return function()
    local count = tonumber(ARGV[at])
    local items = {}
    for i = 1, count do
      items[i] = ARGV[at + i]
    end
    at = at + count + 1
    return items
  end
end

-- A JSON object, or an empty one when the text is none.
local function object(text)
  local read, value = pcall(cjson.decode, text)
  if read and type(value) == 'table' then
    return value
  end
  return {}
end

-- How long ago a zset's member got its score, a time of this clock in milliseconds, as text.
local function age(key, member, now)
  local at = redis.call('ZSCORE', key, member)
  return string.format('%.0f', at and math.max(0, now - tonumber(at)) or 0)
end

-- This clock, in milliseconds: exact, far below 2^53.
local function clock_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- The mark from which on silences are found: now, or with the latest of those who have been active, whose worker's clock may be a little ahead. They have
-- the timers that a program of before the mark has set, or do without.
local function first_mark(open)
  local now = clock_ms()
  local latest = redis.call('ZRANGEBYSCORE', open, '(' .. string.format('%.0f', now), string.format('%.0f', now + 10000), 'WITHSCORES')
  return string.format('%.0f', latest[#latest] or now)
end


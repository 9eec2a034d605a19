-- Kept messages that their conversations have taken in, or presses that are told to have no effect. Only under the epoch in which they were: a Redis
-- that was set back may lack those commits.
-- KEYS epoch held
-- ARGV epoch nonce positions
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local gone = 0
for i = 3, #ARGV do
  gone = gone + redis.call('XDEL', KEYS[2], ARGV[i])
end
return {'done', gone}

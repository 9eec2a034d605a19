-- Outbox entries that no conversation caused.
-- KEYS epoch outbox
-- ARGV epoch nonce, then a list: entries
if not epoch_open(KEYS[1], ARGV[1], ARGV[2]) then
  return {'fenced', record(KEYS[1])}
end
local positions = {}
for i, entry in ipairs(lists(3)()) do
  positions[i] = redis.call('XADD', KEYS[2], '*', 'e', entry)
end
return {'done', positions}

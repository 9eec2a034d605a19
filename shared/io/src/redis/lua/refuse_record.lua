-- Moves a record that SQL never takes, or that nobody can read, out of the way of the others, whole and with the reason. One field, so that the checkpoint
-- copies both; the record as text, so that no number of it goes through a Lua number. Not trimmed: its member was told that it is kept.
-- KEYS records refused counters
-- ARGV position reason
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then
  return 1
end
local fields = found[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'r' then
    redis.call('XADD', KEYS[2], '*', 'x', cjson.encode({why = ARGV[2], raw = fields[i + 1]}))
    redis.call('XDEL', KEYS[1], ARGV[1])
    redis.call('HINCRBY', KEYS[3], 'poisoned', 1)
    return 1
  end
end
return 0

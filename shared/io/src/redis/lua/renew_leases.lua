-- Takes or renews all leases of one worker in one pool.
-- KEYS assign, then one lease a claim
-- ARGV ttl, then five a claim: bot worker slot grant lease
local answers = {}
for i = 1, #KEYS - 1 do
  local at = 2 + (i - 1) * 5
  local lease = ARGV[at + 4]
  local assigned = object(redis.call('HGET', KEYS[1], ARGV[at]) or '')
  if assigned.worker ~= ARGV[at + 1] or assigned.slot ~= ARGV[at + 2] or assigned.grant ~= ARGV[at + 3] then
    answers[i] = {'not_assigned'}
  else
    local held = redis.call('GET', KEYS[i + 1])
    if held and held ~= lease then
      answers[i] = {'other', held}
    else
      redis.call('SET', KEYS[i + 1], lease, 'PX', ARGV[1])
      answers[i] = {'held'}
    end
  end
end
return answers

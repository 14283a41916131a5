#!lua flags=allow-oom
-- A worker gives jobs back: they wait again, at the end of the line, and nothing is charged. One whose end was asked for
-- ends instead.
-- keys: lanes moved parked delayed finished cancelled cancels retention unique ended signals gate
-- arguments:
--   keep_failed   how many cancelled jobs are kept
--   jobs...       lane and entry of each
-- returns how many were still pending, and how many were looked at: the others are for the next call
-- parts: budget read named wait leave_gate
-- expects: lanes moved delayed
local told_any, ended = redis.call('HLEN', keys.cancels) > 0, {}
local back, bytes, seen = 0, 0, 0
while bytes < BUDGET and first.jobs + 2 * seen < #ARGV do
  local lane, entry = tonumber(ARGV[first.jobs + 2 * seen]), ARGV[first.jobs + 1 + 2 * seen]
  seen = seen + 1
  local task, payload, headers = read(keys.lanes[lane], entry)
  if redis.call('XACK', keys.lanes[lane], GROUP, entry) == 1 and task then
    local kept, id = named(headers, entry)
    local told = told_any and redis.call('HGET', keys.cancels, id)
    if told then
      -- parts: cancelled
      cancel(ended, id, '', task, kept, payload, told)
    else
      wait(id, task, payload, kept, lane, true)
    end
    redis.call('XDEL', keys.lanes[lane], entry)
    back, bytes = back + 1, bytes + #task + #payload + #headers
  end
end
if #ended > 0 then
  if redis.call('EXISTS', keys.out) == 1 then
    -- parts: leave_gate
    local gone = {}
    for i = 1, #ended, 2 do gone[#gone + 1] = ended[i] end
    leave_gate(gone)
  end
  -- parts: cancelled heard signal_ended
  bury_cancelled(ended)
  if heard() then signal_ended({ ended, 1, #ended }) end
end
return { back, seen }

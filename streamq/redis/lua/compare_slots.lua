#!lua flags=allow-oom
-- Jobs that have slots are compared with where they are: past the gate; in the line of their group, where those that came
-- back keep theirs; or, in a strict group, delayed or held. Any other gives its slot up, and whoever waited for it is called.
-- keys: lanes moved parked delayed held signals gate
-- arguments:
--   mend     "1" to mend what is wrong
--   ids...   at most a hundred
-- returns how many were looked at: the others are for the next call; and how many had no right to their slots
-- parts: places budget unseal group_of limits task_line give_slot leave_gate
-- expects: lanes moved parked delayed held lines used turns opens
local mends, wrong, bytes, seen = args.mend == '1', 0, 0, 0

-- The group and the task that `out` tells of a job.
local function parts_of(told)
  return string.match(told, '^([^\n]*)\n([^\n]*)')
end

-- What `out` is to tell of a job; nil where it has no slot. And whether its group was strict when it was let wait, and is so
-- no more: it gives its slot up, and nothing was wrong.
local function right_of(id, told)
  local number, _, task, payload, headers = entry_of(id)
  if not number and is_id(id) then -- added there by hand: its entry is its id
    task, payload, headers = read(keys.lanes[lane.passed], id)
    number = task and lane.passed
  end
  if number then
    bytes = bytes + #payload
    if number ~= lane.passed and number ~= lane.alone then return nil end
    local group, its_group, its_task = group_of(headers), parts_of(told)
    if its_task == task and (group == its_group or not group and string.byte(told) == 42) then return told end
    return (group or task_line(task)) .. '\n' .. task
  end
  local envelope = redis.call('HGET', keys.parked, id)
  if not envelope then return nil end
  bytes = bytes + #envelope
  local task, headers = unseal(envelope)
  local group, its_group, its_task = group_of(headers), parts_of(told)
  if not group or group ~= its_group then return nil end
  if redis.call('ZSCORE', keys.delayed, id) or redis.call('ZSCORE', keys.held, task .. '\n' .. id) then
    return is_strict(group) and group .. '\n' or nil, told == group .. '\n'
  end
  return (its_task == '' or its_task == task) and told or group .. '\n' .. task
end

for at = first.ids, #ARGV do
  if bytes >= BUDGET then break end
  local id = ARGV[at]
  local told = redis.call('HGET', keys.out, id)
  seen = seen + 1
  local right, was_right
  if told then right, was_right = right_of(id, told) end
  if told and right ~= told then
    if not was_right then wrong = wrong + 1 end
    if mends then
      leave_gate({ id })
      redis.call('HDEL', keys.out, id) -- also where it tells nothing that is known
      if right then give_slot(id, right) end
    end
  end
end
return { seen, wrong }

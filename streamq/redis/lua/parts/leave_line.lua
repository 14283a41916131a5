-- A job that is parked leaves the line of its group before its turn has come, or the slot that it keeps until its next
-- attempt. Its id stays in the list, and is passed over when it is met.
-- parts: group_of standing key_of

-- Whether it is held for its group; not for the pause of its task, nor until another job has left their key.
local function is_in_line(id, task, headers)
  if redis.call('ZSCORE', keys.delayed, id) or redis.call('ZSCORE', keys.held, task .. '\n' .. id) then return false end
  local key = key_of(headers)
  local standing, _, rest = standing_of(key or '')
  return not (key and standing) or standing == id or not string.find(rest .. ' ', ' ' .. id .. ' ', 1, true)
end

-- One less is in the line of a group.
local function out_of_line(group)
  if not redis.call('ZSCORE', keys.lines, group) or tonumber(redis.call('ZINCRBY', keys.lines, -1, group)) > 0 then return end
  redis.call('ZREM', keys.lines, group)
  redis.call('ZREM', keys.shut, group)
  if redis.call('EXISTS', keys.lines) == 0 then
    -- parts: ring
    ring() -- what is known of turns is forgotten by whoever looks
  end
  for number = 1, #keys.lanes do redis.call('UNLINK', keys.line .. number .. ':' .. group) end
end

-- To be called before the job is taken from its place. In which line one without a group waits is not known: there its id
-- is counted until its turn has come.
local function leave_line(id, task, headers)
  local group = group_of(headers)
  if not group then return end -- it keeps no slot
  if is_in_line(id, task, headers) then out_of_line(group) end
  -- parts: leave_gate
  leave_gate({ id })
end

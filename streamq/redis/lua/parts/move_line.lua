-- A job says another group or priority than before: it goes to the end of that line, or waits without one.
-- parts: leave_line lane_of

-- Its id must not stay in its line, unlike that of one that has left: it would be met there as if it were of that line. It
-- may also lie there from before it was delayed. The whole line is looked through, which nobody does but for this.
-- Returns the line that it is in for a limit of its task, or its queue.
local function forget_in_lines(id, task, headers)
  local prefix, group, found = keys.line .. lane_of(headers) .. ':', group_of(headers), nil
  if group then redis.call('LREM', prefix .. group, 0, id) end
  for _, line in ipairs(group and {} or { '*' .. task, '*' }) do
    if redis.call('LREM', prefix .. line, 0, id) > 0 then found = line end
  end
  return found
end

-- To be called of a parked job once it is parked as it is now. `was` is whether it was in a line, as `is_in_line` has it;
-- `its_task` and `before` are its task and headers of then. Is it held for something else, it stays.
local function move_line(id, was, its_task, before, task, headers, payload)
  local from, to = group_of(before), group_of(headers)
  if from == to and lane_of(before) == lane_of(headers) then return end
  local line = forget_in_lines(id, its_task, before) or from
  if was and line then out_of_line(line) end
  if from ~= to and redis.call('HEXISTS', keys.out, id) == 1 then
    -- parts: leave_gate
    leave_gate({ id }) -- its slot was that of another group
  end
  if not was then return end
  if not to then redis.call('HDEL', keys.parked, id) end
  -- parts: wait
  wait(id, task, payload, headers)
end

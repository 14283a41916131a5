-- A job that is parked says another group or priority than before: it goes to the end of that line, or waits without one.
-- Is it held for something else, it stays.
-- parts: leave_line lane_of

-- To be called once it is parked as it is now. `was` is whether it was in a line, as `is_in_line` has it;
-- `its_task` and `before` are its task and headers of then.
local function move_line(id, was, its_task, before, task, headers, payload)
  local from, to = group_of(before), group_of(headers)
  if from == to and (not from or lane_of(before) == lane_of(headers)) then return end
  -- Its id must not stay, unlike that of one that has left: it would be met there as if it were of that line. It may
  -- also lie there from before it was delayed. The whole line is looked through, which nobody does but for this.
  if from then redis.call('LREM', keys.line .. lane_of(before) .. ':' .. from, 0, id) end
  if was and from then out_of_line(from) end
  for _, line in ipairs(from and {} or { '*' .. its_task, '*' }) do -- it waited for a limit of its task, or its queue
    if redis.call('LREM', keys.line .. lane_of(before) .. ':' .. line, 0, id) > 0 and was then out_of_line(line) end
  end
  if from ~= to and redis.call('HEXISTS', keys.out, id) == 1 then
    -- parts: leave_gate
    leave_gate({ id }) -- its slot was that of another group
  end
  if not was then return end
  if not to then redis.call('HDEL', keys.parked, id) end
  -- parts: wait
  wait(id, task, payload, headers)
end

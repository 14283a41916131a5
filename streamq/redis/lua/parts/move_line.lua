-- A job says another group or priority than before: it goes to the end of that line, or waits without one.
-- parts: leave_line lane_of

-- To be called of a parked job once it is parked as it is now. `was` is whether it was in a line, as `is_in_line` has it;
-- `before` are its headers of then. Is it held for something else, it stays.
local function move_line(id, was, before, task, headers, payload)
  local from, to = group_of(before), group_of(headers)
  if from == to and lane_of(before) == lane_of(headers) then return end
  if was and from then out_of_line(from) end
  -- Its id stays in the line, and must not be met there as if it were of that line: until none is left, the gate looks.
  redis.call('HSET', keys.gate, 'strays', 1)
  if from ~= to and redis.call('HEXISTS', keys.out, id) == 1 then
    -- parts: leave_gate
    leave_gate({ id }) -- its slot was that of another group
  end
  if not was then return end
  if not to then redis.call('HDEL', keys.parked, id) end
  -- parts: wait
  wait(id, task, payload, headers)
end

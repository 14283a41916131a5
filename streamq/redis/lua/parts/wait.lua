-- A job begins to wait: as an entry of its lane, or in the line of its group, where the gate holds it.
-- parts: lane_of add_to placed

-- `number` is the lane of one that is not to go by its priority; `first` is whether one of a group had its turn already.
local function wait(id, task, payload, headers, number, first)
  if number ~= lane.alone and string.find(headers, '"group"', 1, true) then
    -- parts: group_of line_up
    local group = group_of(headers)
    if group then
      -- parts: seal
      redis.call('HSET', keys.parked, id, seal(task, headers, payload))
      redis.call('HDEL', keys.moved, id)
      line_up(id, group, lane_of(headers), first)
      return
    end
  end
  if number and number ~= lane.alone and redis.call('EXISTS', keys.out) == 1 then
    -- parts: leave_gate
    leave_gate({ id }) -- without a group it gets another slot when its turn has come again
  end
  local to = number ~= lane.passed and number or lane_of(headers)
  placed(id, to, add_to(to, task, payload, headers))
end

-- A job that is parked is the last in the line of its group and its priority, or the first.
-- parts: take_turn ring
local function line_up(id, group, number, first)
  local list = keys.line .. number .. ':' .. group
  if not first then
    redis.call('RPUSH', list, id)
  else
    -- parts: line_first
    line_first(list, id)
  end
  if number ~= lane.ready then redis.call('HSET', keys.gate, 'urgent', 1) end
  -- it may have its slot, whoever lets it wait: the gate looks for that where it is told to
  if first or redis.call('HEXISTS', keys.out, id) == 1 then redis.call('HSET', keys.gate, 'back', 1) end
  redis.call('ZINCRBY', keys.lines, 1, group)
  take_turn(group)
  ring()
end

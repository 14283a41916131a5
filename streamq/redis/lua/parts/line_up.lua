-- A job that is parked is the last in the line of its group and its priority, or the first.
-- parts: take_turn ring
local function line_up(id, group, number, first)
  local list = keys.line .. number .. ':' .. group
  first = first or redis.call('HEXISTS', keys.out, id) == 1 -- it has its slot, whoever let it wait
  if not first then
    redis.call('RPUSH', list, id)
  else
    -- parts: line_first
    line_first(list, id)
  end
  if number ~= lane.ready then redis.call('HSET', keys.gate, 'urgent', 1) end
  if first then redis.call('HSET', keys.gate, 'back', 1) end -- the gate looks for slots where it is told to
  redis.call('ZINCRBY', keys.lines, 1, group)
  take_turn(group)
  ring()
end

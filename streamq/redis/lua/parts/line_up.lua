-- A job that is parked is the last in the line of its group and its priority, or the first.
-- parts: take_turn ring
local function line_up(id, group, number, first)
  first = first or redis.call('HEXISTS', keys.out, id) == 1 -- it has its slot
  redis.call(first and 'LPUSH' or 'RPUSH', keys.line .. number .. ':' .. group, id)
  if number ~= lane.ready then redis.call('HSET', keys.gate, 'urgent', 1) end
  if first then redis.call('HSET', keys.gate, 'back', 1) end
  redis.call('ZINCRBY', keys.lines, 1, group)
  take_turn(group)
  ring()
end

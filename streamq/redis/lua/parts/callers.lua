-- Who waits for a scope, or for the end of a job of its group, has its turn.
-- parts: take_turn each

-- Whether any group waits for a scope that is not its own.
local function has_waits()
  return redis.call('HEXISTS', keys.gate, 'waits') == 1
end

-- Let some of those that a scope has kept waiting have their turn.
local function call_waiting(scope, count)
  local waiting = redis.call('ZRANGE', keys.waits .. scope, 0, count - 1)
  for _, group in ipairs(waiting) do
    redis.call('ZREM', keys.waits .. scope, group)
    if redis.call('ZSCORE', keys.lines, group) then take_turn(group) end
  end
  return #waiting > 0
end

-- Those of these groups that have jobs in their lines have their turn, and so have their tenants' other groups.
local function turn_each(groups)
  local has_parts = redis.call('HEXISTS', keys.gate, 'parts') == 1
  for from = 1, #groups, 1000 do
    local slice = { unpack(groups, from, math.min(from + 999, #groups)) }
    local lines, turns = redis.call('ZMSCORE', keys.lines, unpack(slice)), redis.call('ZMSCORE', keys.turns, unpack(slice))
    for i, group in ipairs(slice) do
      local is_divided = has_parts and redis.call('EXISTS', keys.parts .. group) == 1
      -- a divided one may have its turn for its parts alone: its own line has one beside theirs
      if lines[i] and (is_divided or not turns[i]) or is_divided and not turns[i] then take_turn(group) end
    end
  end
end

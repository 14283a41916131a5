-- Jobs that were let through have ended, or give their slots up: whoever waited for these may have a turn.
-- parts: tenant_of take_turn ring count_used

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
  for from = 1, #groups, 1000 do
    local slice = { unpack(groups, from, math.min(from + 999, #groups)) }
    local lines, turns = redis.call('ZMSCORE', keys.lines, unpack(slice)), redis.call('ZMSCORE', keys.turns, unpack(slice))
    for i, group in ipairs(slice) do
      if not turns[i] and (lines[i] or redis.call('EXISTS', keys.parts .. group) == 1) then take_turn(group) end
    end
  end
end

local function leave_gate(ids)
  local by_group, by_task, left = {}, {}, {}
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    for i, told in ipairs(redis.call('HMGET', keys.out, unpack(slice))) do
      local line_end = told and string.find(told, '\n', 1, true)
      if told then left[#left + 1] = slice[i] end
      if line_end then
        local group, task = string.sub(told, 1, line_end - 1), string.sub(told, line_end + 1)
        by_group[group], by_task[task] = (by_group[group] or 0) + 1, (by_task[task] or 0) + 1
      end
    end
  end
  if #left == 0 then return end
  each('HDEL', keys.out, left)
  local freed, groups = { queue = -#left }, {}
  for task, count in pairs(by_task) do freed['task:' .. task] = -count end
  for group, count in pairs(by_group) do
    local tenant, part = tenant_of(group)
    local scope = 'group:' .. tenant
    if not freed[scope] then groups[#groups + 1] = tenant end
    freed[scope] = (freed[scope] or 0) - count
    if part then
      groups[#groups + 1], freed['group:' .. group] = group, -count
    end
  end
  count_used(freed)
  if redis.call('EXISTS', keys.lines) == 0 then return end -- nobody waits
  turn_each(groups)
  if has_waits() then
    for scope in pairs(freed) do
      if redis.call('EXISTS', keys.waits .. scope) == 1 then redis.call('ZADD', keys.opens, now, scope) end
    end
  end
  ring()
end

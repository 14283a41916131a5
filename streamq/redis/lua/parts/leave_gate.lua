-- Jobs that were let through have ended, or give their slots up: whoever waited for these may have a turn.
-- parts: tenant_of take_turn ring

-- Let some of those that a scope has kept waiting have their turn.
local function call_waiting(scope, count)
  local waiting = redis.call('ZRANGE', keys.waits .. scope, 0, count - 1)
  for _, group in ipairs(waiting) do
    redis.call('ZREM', keys.waits .. scope, group)
    if redis.call('ZSCORE', keys.lines, group) then take_turn(group) end
  end
  return #waiting > 0
end

local function leave_gate(ids)
  local freed, rings = {}, false
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    for i, told in ipairs(redis.call('HMGET', keys.out, unpack(slice))) do
      if told then
        local group, task = string.match(told, '^([^\n]*)\n(.*)$')
        redis.call('HDEL', keys.out, slice[i])
        local tenant, part = tenant_of(group or '')
        for _, scope in ipairs({ 'task:' .. (task or ''), 'group:' .. tenant, part and 'group:' .. group or nil }) do
          freed[scope] = (freed[scope] or 0) + 1
        end
        freed.queue = (freed.queue or 0) + 1
      end
    end
  end
  for scope, count in pairs(freed) do
    if redis.call('HINCRBY', keys.used, scope, -count) <= 0 then redis.call('HDEL', keys.used, scope) end
    local group = string.match(scope, '^group:(.*)$')
    if group and (redis.call('ZSCORE', keys.lines, group) or redis.call('EXISTS', keys.parts .. group) == 1) then
      take_turn(group)
      rings = true
    elseif not group and call_waiting(scope, count) then
      rings = true
    end
  end
  if rings or freed.queue and redis.call('EXISTS', keys.turns) == 1 then ring() end
end

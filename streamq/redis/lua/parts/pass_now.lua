-- A job of a group is let through as it is made, where a worker waits and nobody else does: it starts as soon as one
-- without a group. Not where a rate counts starts, as who waits may be gone by now, and the job would start later than it
-- is counted. For admit.lua alone, which says in `of_gate` how many slots are idle.
-- parts: tenant_of count_up

local idle = tonumber(of_gate[2]) or 0
if not (idle and idle >= 1 and idle <= 500) then idle = 0 end -- no worker has more free slots; the number is another's
if idle > 0 and redis.call('EXISTS', keys.turns) == 1 then idle = 0 end
local is_open
if idle > 0 and redis.call('EXISTS', keys.limits) == 1 then
  -- parts: limits
  local function has_room(scope)
    local limit = limit_of(scope)
    if not limit then return true end
    if limit['until'] and limit['until'] > now or limit.starts or limit.shared or limit.whole or limit.broken then return false end
    return not limit.jobs or (tonumber(redis.call('HGET', keys.used, scope) or 0) or 0) < limit.jobs
  end

  is_open = function(task, own, part)
    return has_room('queue') and has_room('task:' .. task) and has_room(own) and (not part or has_room(part))
  end
end

-- Whether it was let through.
local function pass_now(id, group, task, payload, headers)
  local tenant, part = tenant_of(group)
  local own = 'group:' .. tenant
  part = part and 'group:' .. group
  if idle < 1 or is_open and not is_open(task, own, part) then return false end
  if redis.call('ZSCORE', keys.lines, group) then return false end -- others of it wait for a scope that opens just now
  -- expects: moved out used
  redis.call('HSET', keys.gate, 'idle', string.format('%d', idle - 1), 'direct', '1')
  redis.call('HSET', keys.moved, id, lane.passed .. ' ' .. add(keys.lanes[lane.passed], task, payload, headers))
  redis.call('HSET', keys.out, id, group .. '\n' .. task)
  count_up(keys.used, 'queue', 1)
  count_up(keys.used, 'task:' .. task, 1)
  count_up(keys.used, own, 1)
  if part then count_up(keys.used, part, 1) end
  return true
end

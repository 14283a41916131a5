-- A job of a group is let through as it is made, where a worker waits and nobody else does: it starts as soon as one
-- without a group. Not where a rate counts starts, as who waits may be gone by now, and the job would start later than it
-- is counted.
-- parts: limits tenant_of

local idle = tonumber(redis.call('HGET', keys.gate, 'idle') or 0)
if idle > 0 and redis.call('EXISTS', keys.turns) == 1 then idle = 0 end

local function has_room(scope, general)
  local limit = limit_of(scope, general)
  if not limit then return true end
  if limit['until'] and limit['until'] > now or limit.starts then return false end
  return not limit.jobs or tonumber(redis.call('HGET', keys.used, scope) or 0) < limit.jobs
end

-- Whether it was let through.
local function pass_now(id, group, task, payload, headers)
  if idle < 1 then return false end
  local own, part = scopes_of(group)
  local scopes = { 'queue', 'task:' .. task, own, part }
  for _, scope in ipairs(has_limits and scopes or {}) do
    if not has_room(scope, scope == part and 'group:*:*' or scope == own and 'group:*' or nil) then return false end
  end
  idle = tonumber(redis.call('HINCRBY', keys.gate, 'idle', -1))
  redis.call('HSET', keys.moved, id, lane.passed .. ' ' .. add(keys.lanes[lane.passed], task, payload, headers))
  redis.call('HSET', keys.out, id, group .. '\n' .. task)
  for _, scope in ipairs(scopes) do redis.call('HINCRBY', keys.used, scope, 1) end
  return true
end

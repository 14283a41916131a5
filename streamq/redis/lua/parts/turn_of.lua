-- Whether a group in whose line jobs wait will have its turn: it has one, or what keeps it calls it.
-- parts: clock opens_at callers ring

-- Whether the queue, or any task in it, draws from a shared limit.
local function is_drawn(name)
  local said = redis.call('HGETALL', keys.limits)
  for i = 2, #said, 2 do
    local text = said[i] .. ' '
    if string.find(text, 'shared=' .. name .. ' ', 1, true) or string.find(text, 'whole=' .. name .. ' ', 1, true) then return true end
  end
  return false
end

-- Whether a scope is closed, and what opens it is known. `is_holder` is for one that has its slot, and may go if all are
-- taken.
local function is_kept_by(scope, is_holder, mends)
  if string.find(scope, '^shared:') then -- its leases tell when there is more of it
    return is_drawn(string.sub(scope, 8)) and (redis.call('EXISTS', keys.leases) == 1 or redis.call('HEXISTS', keys.used, scope) == 1), true
  end
  local limit = limit_of(scope)
  if not limit then return false, true end
  local opens = opens_at(scope, limit)
  if opens then
    local is_known = opens > 9007199254740990 or redis.call('ZSCORE', keys.opens, scope)
    if not is_known and mends then redis.call('ZADD', keys.opens, string.format('%.0f', opens), scope) end
    return true, is_known and true or false
  end
  return limit.jobs and not is_holder and (tonumber(redis.call('HGET', keys.used, scope)) or 0) >= limit.jobs or false, true
end

local function has_turn(tenant, part)
  local inner = keys.parts .. tenant
  local has_parts = redis.call('EXISTS', inner) == 1
  local is_in = not has_parts and not part or has_parts and redis.call('ZSCORE', inner, part or '')
  return redis.call('ZSCORE', keys.turns, tenant) and is_in, is_in
end

-- Those that wait for a scope are called when it opens; where it is open already, as soon as the gate is looked at.
local function is_called_by(scope, group, mends)
  if not redis.call('ZSCORE', keys.waits .. scope, group) then return nil end
  local told, is_known = redis.call('HMGET', keys.gate, 'waits', 'waits ' .. scope), nil
  local is_noted = told[1] and told[2] and true or false
  if not is_noted and mends then redis.call('HSET', keys.gate, 'waits', 1, 'waits ' .. scope, 1) end
  local is_closed
  is_closed, is_known = is_kept_by(scope, false, mends)
  if is_closed then return is_noted and is_known end
  local is_due = redis.call('ZSCORE', keys.opens, scope)
  if not is_due and mends then
    redis.call('ZADD', keys.opens, now, scope)
    ring()
  end
  return is_noted and is_due and true or false
end

-- `tasks` are those of its jobs, as far as they are known; `is_holder` is whether one of them has its slot. What is wrong is
-- mended where that is asked for.
local function is_called(group, tasks, is_holder, mends)
  local tenant, part = tenant_of(group)
  local turn, is_in = has_turn(tenant, part)
  if turn then return true end
  local own = 'group:' .. tenant
  local scopes = { 'queue' }
  if part then scopes[2] = own end
  for task in pairs(tasks) do scopes[#scopes + 1] = 'task:' .. task end
  for _, name in ipairs(redis.call('HKEYS', keys.gate)) do scopes[#scopes + 1] = string.match(name, '^waits (.*)$') end
  for _, scope in ipairs(scopes) do
    local called = is_called_by(scope, group, mends)
    if called ~= nil then return called end
  end
  for i, scope in ipairs({ own, part and 'group:' .. group }) do
    local is_closed, is_known = is_kept_by(scope, is_holder, mends)
    if not is_closed and redis.call('ZSCORE', keys.opens, scope) then is_closed = true end -- it is due: whoever looks calls it
    if is_closed and (is_in or i == 2 or not part) then -- the end of what keeps it calls it, while any is known to be closed
      local is_shut = redis.call('EXISTS', keys.shut) == 1
      if not is_shut and mends then redis.call('ZADD', keys.shut, now, group) end
      return is_known and is_shut
    end
  end
  if mends then
    take_turn(group)
    ring()
  end
  return false
end

-- What leave_gate.lua does, once it is called.
-- parts: clock tenant_of callers ring count_used add_many each

-- A job has run: its tenant, and its part, are charged what that was longer than expected when it started, or get it back.
local function charge(group, count, began, expected)
  -- parts: weight_of
  local ran = math.max(0, now - began)
  local before = tonumber(redis.call('HGET', keys.gate, 'ran') or expected) or expected
  redis.call('HSET', keys.gate, 'ran', math.floor(before + (ran - before) / 10)) -- about the mean of the last ten
  local tenant, part = tenant_of(group)
  local more = math.floor(count * (ran - expected) * 1000 / weight_of(tenant))
  if part and redis.call('ZSCORE', keys.parts .. tenant, part) then
    redis.call('ZINCRBY', keys.parts .. tenant, math.floor(count * (ran - expected) * 1000 / weight_of(tenant, part)), part)
  end
  local key = redis.call('ZSCORE', keys.turns, tenant) and keys.turns or redis.call('ZSCORE', keys.rested, tenant) and keys.rested
  if key then
    redis.call('ZINCRBY', key, more, tenant)
  elseif more > 0 and redis.call('EXISTS', keys.lines) == 1 then -- else nobody is owed anything
    redis.call('ZADD', keys.rested, string.format('%d', (tonumber(redis.call('HGET', keys.gate, 'time') or 0) or 0) + more), tenant)
  end
end

-- What `count` jobs free that `out` tells the same of. One that keeps its slot frees what is not its group's alone: a job
-- that waits for its next attempt is to let none of its group pass, and is to hold up nobody else.
local function free_slots(told, count, keep, freed, groups)
  local group, task, shared = string.match(told, '^([^\n]*)\n([^\n]*)\n?(.*)$')
  if not group then return end
  local tenant, part = tenant_of(group)
  local own = 'group:' .. tenant
  local function free(scope) freed[scope] = (freed[scope] or 0) - count end
  if task ~= '' then -- else it kept its group's alone
    free('queue')
    free('task:' .. task)
    if part then free(own) end
    local began, expected = string.match(shared, '^@(%d+),(%d+)')
    if began and not string.find(group, '^%*') then charge(group, count, tonumber(began), tonumber(expected)) end
    for name, units in string.gmatch(shared, '(%S+)=(%d+)') do freed['shared:' .. name] = (freed['shared:' .. name] or 0) - units * count end
  end
  if not keep then free(part and 'group:' .. group or own) end
  groups[#groups + 1] = tenant
  if part then groups[#groups + 1] = group end
end

local function leave_now(ids, keep)
  local leave, wait, left, kept = {}, {}, {}, {}
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    for i, told in ipairs(redis.call('HMGET', keys.out, unpack(slice))) do
      if told and keep and keep[slice[i]] then
        wait[told] = (wait[told] or 0) + 1
        kept[#kept + 1], kept[#kept + 2] = slice[i], string.match(told, '^[^\n]*\n') or told
      elseif told then
        leave[told] = (leave[told] or 0) + 1
        left[#left + 1] = slice[i]
      end
    end
  end
  if #left == 0 and #kept == 0 then return end
  each('HDEL', keys.out, left)
  add_many(keys.out, kept)
  local freed, groups = {}, {}
  for told, count in pairs(leave) do free_slots(told, count, false, freed, groups) end
  for told, count in pairs(wait) do free_slots(told, count, true, freed, groups) end
  count_used(freed)
  if redis.call('EXISTS', keys.lines) == 0 then return end -- nobody waits
  if redis.call('EXISTS', keys.shut) == 1 then turn_each(groups) end -- else none of them is closed
  if has_waits() then
    for scope in pairs(freed) do
      if redis.call('EXISTS', keys.waits .. scope) == 1 then redis.call('ZADD', keys.opens, now, scope) end
    end
  end
  ring()
end

-- Whether the gate is closed for a scope, with what this call has let through: for gate.lua alone, which says it in
-- `used_more`, `tasks`, `given_out`, `of_parts` and `drawn`.
-- parts: opens_at note_start
local used = {}

local function used_of(scope)
  used[scope] = used[scope] or tonumber(redis.call('HGET', keys.used, scope) or 0)
  if scope == 'queue' then return used[scope] + (used_more.queue or 0) end
  if string.sub(scope, 1, 7) == 'shared:' then return used[scope] + (drawn[string.sub(scope, 8)] or 0) end
  if string.sub(scope, 1, 5) == 'task:' then return used[scope] + (tasks[string.sub(scope, 6)] or 0) end
  local group = string.sub(scope, 7)
  return used[scope] + (given_out[group] or 0) + (of_parts[group] or 0)
end

-- Until when a scope is closed, in ms since the epoch: math.huge until a job of it ends; nil when it is open. One that has
-- its slot already needs none.
local function closed(scope, limit, has_slot)
  if not limit then return nil end
  local opens = opens_at(scope, limit)
  if opens then return opens end
  if limit.jobs and not has_slot and used_of(scope) >= limit.jobs then return math.huge end
end

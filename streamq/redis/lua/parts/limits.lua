-- What limits say of a scope: the queue, a task, a group. (`streamq/model/limit.py` writes them.)
-- parts: tenant_of

local has_limits = redis.call('EXISTS', keys.limits) == 1
local known = {}

-- What is no limit is left out: it was written by others.
local MOST = { jobs = 1e6, starts = 1e6, window = 86400000, weight = 1000, max = 1e6, errors = 1, least = 1e6,
  span = 86400000, rest = 86400000 }
local LEAST = { weight = 0.01, errors = 0.001 }

local function parsed(limit, text)
  for name, value in string.gmatch(text or '', '(%l+)=([^ ]+)') do
    local number = MOST[name] and tonumber(value)
    if value == '-' then
      limit[name] = nil -- lifts what is said before
    elseif not MOST[name] then
      limit[name] = value
    elseif number and number >= (LEAST[name] or 1) and number <= MOST[name] then
      limit[name] = number
    end
  end
  return limit
end

-- What says what holds for all of a kind: for every tenant, and for every part of one. nil where nothing does.
local function general_of(scope)
  if string.sub(scope, 1, 6) ~= 'group:' then return nil end
  return string.find(scope, ':', 7, true) and 'group:*:*' or 'group:*'
end

-- The limit of a scope; what is said of it alone goes before what is said of all of its kind.
local function limit_of(scope)
  if not has_limits then return nil end
  local limit = known[scope]
  if limit == nil then
    local said = redis.call('HMGET', keys.limits, general_of(scope) or scope, scope, 'pause ' .. scope)
    limit = (said[1] or said[2] or said[3]) and parsed(parsed({}, said[1]), said[2]) or false
    if limit and not (limit.starts and limit.window) then limit.starts = nil end
    if limit and said[3] then
      limit['until'] = tonumber(string.match(said[3], '^%d+')) or 0
      if string.find(said[3], '"breaker":true', 1, true) then
        local read, told = pcall(cjson.decode, string.match(said[3], '^%d+ (.*)$') or '')
        limit.broken = limit.errors and read and type(told) == 'table' and told or nil
        if not limit.errors then limit['until'] = nil end -- its breaker was taken back: nothing would close it
      end
    end
    known[scope] = limit
  end
  return limit or nil
end

-- The scopes of a group, its tenant's first, and the limit of each.
local function scopes_of(group)
  local tenant, part = tenant_of(group)
  if string.byte(group) == 42 then return nil end -- of a task: its jobs have no group
  return 'group:' .. tenant, part and 'group:' .. group
end

-- Whether a job of a group keeps its slot while it waits for its next attempt, so that none of the group passes it.
local function is_strict(group)
  local first_scope, second = scopes_of(group)
  if not first_scope then return false end
  local limit = limit_of(second or first_scope)
  return limit ~= nil and (limit.order or (limit.jobs == 1 and 'strict')) == 'strict'
end

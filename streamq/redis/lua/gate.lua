#!lua flags=allow-oom
-- A worker with free slots is given jobs of groups, by turns and as limits allow, and those without a group in their turn,
-- as if they were one tenant. What is let through is delivered in the same call, so no more of it than starts.
-- keys: lanes moved parked delayed steering signals gate
-- arguments:
--   worker
--   n         how many free slots it has, at most 500
--   bells...  those that woke it
-- returns whether more might be let through now: 1, or 0; ms until a limit opens (-1 when none will by itself); then lane
--   and entries, one after the other
-- parts: clock budget limits tenant_of own_headers lane_of unseal each entry_size
-- expects: lanes moved parked delayed limits lines turns rested opens out used
local free, worker = math.min(tonumber(args.n), 500), args.worker
local given, through, bytes = {}, 0, 0

if #ARGV >= first.bells then redis.call('XACK', keys.bell, GROUP, unpack(ARGV, first.bells)) end
if redis.call('HDEL', keys.gate, 'bell') == 1 then redis.call('XTRIM', keys.bell, 'MAXLEN', 0) end

-- What a scope has used, counted on in this call.
local used = {}
local function used_of(scope)
  used[scope] = used[scope] or tonumber(redis.call('HGET', keys.used, scope) or 0)
  return used[scope]
end

-- Until when a scope is closed, in ms since the epoch: math.huge until a job of it ends; nil when it is open. One that has
-- its slot already needs none.
local function closed(scope, limit, has_slot)
  if not limit then return nil end
  if limit['until'] and limit['until'] > now then return limit['until'] end
  if limit.starts then
    local oldest = tonumber(redis.call('LINDEX', keys.starts .. scope, -limit.starts) or nil)
    if oldest and now - oldest <= limit.window then return oldest + limit.window + 1 end
  end
  if limit.jobs and not has_slot and used_of(scope) >= limit.jobs then return math.huge end
end

local function note_start(scope, limit)
  if not (limit and limit.starts) then return end
  redis.call('RPUSH', keys.starts .. scope, now)
  redis.call('LTRIM', keys.starts .. scope, -limit.starts, -1)
  redis.call('PEXPIRE', keys.starts .. scope, limit.window + 1000)
end

-- The first job in a group's line that is held there, its envelope, and the number of its lane; nil when none is left.
local PRIORITY = { lane.critical, lane.high, lane.ready, lane.low }
local LOOKS = 500 -- ids that are passed over in a call: those of jobs that left the line before their turn
local looks = 0
local function head_of(group)
  for _, number in ipairs(PRIORITY) do
    local list = keys.line .. number .. ':' .. group
    while true do
      local id = redis.call('LINDEX', list, 0)
      if not id then break end
      local envelope = redis.call('HGET', keys.parked, id)
      if envelope and not redis.call('ZSCORE', keys.delayed, id) then return id, envelope, list end
      looks = looks + 1
      if looks > LOOKS then return nil end
      redis.call('LPOP', list)
    end
  end
end

local function let_through(id, envelope, list, scopes, group)
  local task, headers, payload = unseal(envelope)
  redis.call('LPOP', list)
  redis.call('HDEL', keys.parked, id)
  local entry = redis.call('XADD', keys.lanes[lane.passed], '*', 'task', task, 'payload', payload, 'headers', headers)
  redis.call('HSET', keys.moved, id, lane.passed .. ' ' .. entry)
  if redis.call('HSETNX', keys.out, id, group .. '\n' .. task) == 1 then
    for _, scope in ipairs(scopes) do
      redis.call('HINCRBY', keys.used, scope, 1)
      if used[scope] then used[scope] = used[scope] + 1 end
    end
  end
  for _, scope in ipairs(scopes) do note_start(scope, scopes[scope]) end
  local left = tonumber(redis.call('ZINCRBY', keys.lines, -1, group))
  if left <= 0 then redis.call('ZREM', keys.lines, group) end
  through, free, bytes = through + 1, free - 1, bytes + #envelope
end

-- Try the group whose turn it is. Returns "through", "closed" and until when, or "empty".
local function try(group)
  local id, envelope, list = head_of(group)
  if not id then return looks > LOOKS and 'tired' or 'empty' end
  local task = unseal(envelope)
  local has_slot = has_limits and redis.call('HEXISTS', keys.out, id) == 1
  local own, part = scopes_of(group)
  local scopes = { 'queue', 'task:' .. task, own ~= 'task:' .. task and own or nil }
  scopes[#scopes + 1] = part
  for _, scope in ipairs(scopes) do
    local limit = limit_of(scope, string.sub(scope, 1, 6) == 'group:' and (scope == part and 'group:*:*' or 'group:*') or nil)
    scopes[scope] = limit
    local opens = closed(scope, limit, has_slot)
    if opens then return 'closed', scope, opens end
  end
  let_through(id, envelope, list, scopes, group)
  return 'through'
end

-- A group waits until a scope opens: its own by time or by the end of one of its jobs, any other with all who wait for it.
local function set_aside(group, scope, opens)
  if scope ~= 'group:' .. group then redis.call('ZADD', keys.waits .. scope, 'NX', now, group) end
  if opens < math.huge then redis.call('ZADD', keys.opens, opens, scope) end
end

-- What has opened since is tried again.
local function reopen()
  -- parts: leave_gate
  local due = redis.call('ZRANGE', keys.opens, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
  for _, scope in ipairs(due) do
    redis.call('ZREM', keys.opens, scope)
    local group = string.match(scope, '^group:(.*)$')
    if group and (redis.call('ZSCORE', keys.lines, group) or redis.call('EXISTS', keys.parts .. group) == 1) then take_turn(group) end
    call_waiting(scope, 100)
  end
end
if redis.call('EXISTS', keys.opens) == 1 then reopen() end
local first_open = tonumber(redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2] or nil)

local function weight_of(scope)
  local limit = group_limit(scope)
  return limit and limit.weight or 1
end

local time = tonumber(redis.call('HGET', keys.gate, 'time') or 0)
local plain = math.max(time, tonumber(redis.call('HGET', keys.gate, 'plain') or 0))
local has_plain = true

-- Jobs without a group: up to so many, the most urgent first.
local function read_plain(count)
  local got = 0
  for _, number in ipairs(PRIORITY) do
    if got < count and (number <= lane.always or redis.call('EXISTS', keys.lanes[number]) == 1) then
      local read = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', count - got, 'STREAMS', keys.lanes[number], '>')
      local entries = read and read[1][2] or {}
      if #entries > 0 then
        given[#given + 1], given[#given + 2] = number, entries
        got = got + #entries
        for _, entry in ipairs(entries) do bytes = bytes + size_of(entry) end
      end
    end
  end
  free = free - got
  return got
end

-- The next of a tenant: its own line, or one of its parts, in turns.
local function next_of(tenant)
  local inner = keys.parts .. tenant
  local head = redis.call('ZRANGE', inner, 0, 0, 'WITHSCORES')
  if #head == 0 then return tenant end
  return head[1] == '' and tenant or tenant .. ':' .. head[1], inner, head[1], tonumber(head[2])
end

local queue_limit, is_closed = limit_of('queue'), false
local tries = 0
while free > 0 and bytes < BUDGET and tries < 2000 and looks <= LOOKS do
  tries = tries + 1
  local opens = closed('queue', queue_limit)
  if opens then
    if opens < math.huge then redis.call('ZADD', keys.opens, opens, 'queue') end
    is_closed = true
    break
  end
  local head = redis.call('ZRANGE', keys.turns, 0, 0, 'WITHSCORES')
  local tenant, tag = head[1], tonumber(head[2])
  if has_plain and (not tenant or plain <= tag) then
    local count = tenant and math.min(free, math.floor(tag - plain) + 1) or free
    local got = read_plain(count)
    has_plain, plain = got == count, plain + got
  elseif not tenant then
    break
  else
    time = math.max(time, tag)
    plain = math.max(plain, time)
    local group, inner, part, part_tag = next_of(tenant)
    local said, scope, opening = try(group)
    if said == 'tired' then break end
    if said == 'closed' then set_aside(group, scope, opening) end
    local own_closed = said == 'closed' and scope == 'group:' .. tenant
    -- whether this line has nothing to give now, and whether the tenant has no other
    local off = said ~= 'through' or not redis.call('ZSCORE', keys.lines, group)
    if inner and not own_closed then
      if off then redis.call('ZREM', inner, part) else redis.call('ZADD', inner, part_tag + 1 / weight_of('group:' .. group), part) end
      off = off and redis.call('EXISTS', inner) == 0
    end
    if said == 'through' then tag = tag + 1 / weight_of('group:' .. tenant) end
    if off or own_closed then
      redis.call('ZREM', keys.turns, tenant)
      if tag > time then redis.call('ZADD', keys.rested, tag, tenant) end
    else
      redis.call('ZADD', keys.turns, tag, tenant)
    end
  end
end

if through > 0 then
  local read = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', through, 'STREAMS', keys.lanes[lane.passed], '>')
  given[#given + 1], given[#given + 2] = lane.passed, read and read[1][2] or {}
end

local more = redis.call('EXISTS', keys.turns)
if more == 1 then
  redis.call('ZREMRANGEBYSCORE', keys.rested, '-inf', time)
  redis.call('HSET', keys.gate, 'time', string.format('%.17g', time), 'plain', string.format('%.17g', plain))
  more = is_closed and 0 or (free < 1 or bytes >= BUDGET or looks > LOOKS) and 1 or 0
  if more == 1 then
    -- parts: ring
    ring() -- another may have free slots
  end
else -- nobody is owed anything
  redis.call('UNLINK', keys.rested)
  redis.call('HDEL', keys.gate, 'time', 'plain')
end
if more == 0 and (has_plain and free < 1) then more = 1 end
local next_open = redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2]
if next_open and tonumber(next_open) ~= first_open then
  -- parts: signal_due
  signal_due(next_open)
end
return { more, next_open and math.max(0, next_open - now) or -1, unpack(given) }

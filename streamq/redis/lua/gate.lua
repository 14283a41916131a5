#!lua flags=allow-oom
-- A worker with free slots is given jobs of groups, by turns and as limits allow, and those without a group in their turn,
-- as if they were one tenant. What is let through lies in its lane, from which the caller reads it in the same transaction:
-- so no more is let through than starts. (Read by the script, it would cost the server twice as much.)
-- keys: lanes moved parked delayed steering held signals gate
-- arguments:
--   worker
--   n         how many free slots it has, at most 500
--   bells...  those that woke it
-- returns whether more might be let through now: 1, or 0; then lane and entries of jobs without a group, one after the other
-- parts: clock budget limits tenant_of lane_of unseal each entry_size steered
-- expects: lanes moved parked delayed limits lines turns rested opens out used shut leases
local free, worker = math.min(tonumber(args.n), 500), args.worker
local given, bytes = {}, 0
-- A worker that takes as many as a call gives is given some of each group in a turn: that costs half as much, and shares are
-- the same in rounds that are longer.
local burst = free >= 32 and 6 or 1

if #ARGV >= first.bells then redis.call('XACK', keys.bell, GROUP, unpack(ARGV, first.bells)) end
if redis.call('HDEL', keys.gate, 'bell') == 1 then redis.call('XTRIM', keys.bell, 'MAXLEN', 0) end

-- parts: reopened
local said = redis.call('HMGET', keys.gate, 'time', 'plain', 'parts', 'urgent', 'back', 'waits', 'limited', 'direct', 'strays', 'ran')
if said[8] then -- jobs were let through as they were made: those that nobody has are given to this caller first
  -- parts: delivered
  local left = #redis.call('XRANGE', keys.lanes[lane.passed], '(' .. last_delivered(lane.passed), '+', 'COUNT', free)
  if left < free then redis.call('HDEL', keys.gate, 'direct') end
  free = math.max(0, free - left)
end
local time, has_parts, has_urgent, has_back = tonumber(said[1] or 0) or 0, said[3], said[4], said[5]
local has_waits, is_limited, has_strays = said[6], said[7], said[9]
local has_delayed = redis.call('EXISTS', keys.delayed) == 1
local plain, has_plain = math.max(time, tonumber(said[2] or 0) or 0), true
local EVERY = { lane.critical, lane.high, lane.ready, lane.low }
-- How the keys of lines begin, by priority: a number is written into a text slowly, so once.
local PRIORITY = {}
for i, number in ipairs(has_urgent and EVERY or { lane.ready }) do PRIORITY[i] = keys.line .. number .. ':' end
local NORMAL = keys.line .. lane.ready .. ':'
local UNIT = 1000000 -- of a tag, for one job of weight 1: whole numbers are written faster than others

-- What this call changes, to be written at its end: most of it at once.
local PASSED = lane.passed .. ' '
local popped, served, passed, entries, moved, out, used_more, off_turn, new_tag, rested = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
local given_out, of_parts, tasks, drawn = {}, {}, {}, {}
-- parts: closed write_leases

-- parts: heads

local function leave(id, name, list, group)
  list.at, popped[name] = list.at + 1, (popped[name] or 0) + 1
  envelopes[id] = false -- one that left its line and came back is in it twice
  served[group] = (served[group] or 0) + 1
end

-- Whether a job kept its group's slot alone when it was let wait: it takes the others again.
local function is_kept(slot)
  return slot and string.byte(slot, -1) == 10
end

-- Turns by run time: a start counts as long as jobs have run of late, until its end says how long it was.
local queue_limit = limit_of('queue')
local by_time = queue_limit ~= nil and queue_limit.turns == 'time'
local expected = by_time and math.floor(math.min(1e9, tonumber(redis.call('HGET', keys.gate, 'ran') or 100) or 100)) -- ms
if by_time then UNIT = math.max(1, expected) * 1000 elseif said[10] then redis.call('HDEL', keys.gate, 'ran') end

local function take_slot(id, group, task, draws)
  local slot = slots[id]
  if slot and not is_kept(slot) then return end
  local told = group .. '\n' .. task
  if by_time or next(draws) then told = told .. (by_time and '\n@' .. now .. ',' .. expected .. ' ' or '\n') end
  for name, units in pairs(draws) do
    told, drawn[name] = told .. name .. '=' .. units .. ' ', (drawn[name] or 0) + units
  end
  out[#out + 1], out[#out + 2] = id, told
  used_more.queue, tasks[task] = (used_more.queue or 0) + 1, (tasks[task] or 0) + 1
  if not slot then given_out[group] = (given_out[group] or 0) + 1 end
  local colon = string.find(group, ':', 1, true)
  if colon then
    local tenant = string.sub(group, 1, colon - 1)
    of_parts[tenant] = (of_parts[tenant] or 0) + 1
  end
end

-- parts: aside costly

-- Whether it was to start earlier: it has its turn whatever the limits, as its worker ends it and does not call its handler.
local function has_expired(id, headers)
  if not string.find(headers, '"expires"', 1, true) then return false end
  -- parts: expires
  local ends = expires_at(id, headers)
  return ends and now > ends
end

local function let_through(id, name, list, group, task, headers, payload, draws)
  if string.byte(headers, 3) ~= 105 or not string.find(headers, '^{"id":"') then
    headers = '{"id":"' .. id .. (headers == '{}' and '"}' or '",' .. string.sub(headers, 2))
  end
  leave(id, name, list, group)
  local n = #passed
  passed[n + 1], entries[n + 1] = id, { task, payload, headers }
  take_slot(id, group, task, draws)
  free, bytes = free - 1, bytes + #headers + #payload
end

-- What this call has changed of the turns and has taken of lines. It is written before others come into lines, too: these
-- may come to the heads, and a line that was found empty has its turn again.
local function write_turns()
  each('ZREM', keys.turns, off_turn)
  local tags = {}
  for tenant, tag in pairs(new_tag) do tags[#tags + 1], tags[#tags + 2] = string.format('%d', tag), tenant end
  each('ZADD', keys.turns, tags)
  for name, count in pairs(popped) do redis.call('LTRIM', name, count, '-1') end
  off_turn, new_tag, popped = {}, {}, {}
end

-- parts: ungrouped

-- Try the group whose turn it is. Returns "through", "empty", or "closed", the scope and until when.
local try
local NONE = {}
function try(group)
  local id, envelope, name, list = head_of(group)
  if not id and costly[group] then return 'closed', costly[group], now + AGAIN end
  if not id then return looks > LOOKS and 'looked' or 'empty' end
  local task, headers, payload = unseal(envelope)
  if group == '*' and limit_of('task:' .. task) then
    to_its_task(id, name, list, task, headers)
    if looks > LOOKS then return 'looked' end
    return try(group)
  end
  local slot, over, draws = slots[id], has_expired(id, headers), NONE
  if not over and is_task_paused(task) and (not slot or is_kept(slot)) then -- else its worker holds it
    if not slot and has_limits and is_strict(group) then -- it takes the slot of its group: not where another has that
      local own, part = scopes_of(group)
      local opens = closed(part or own, limit_of(part or own))
      if opens == math.huge and has_back and holder_first(group) then return try(group) end
      if opens then return 'closed', part or own, opens end
    end
    put_aside(id, name, list, group, task)
    if looks > LOOKS then return 'looked' end
    return try(group)
  end
  if has_limits and not over then
    local own, part = scopes_of(group)
    local scopes = { 'queue', 'task:' .. task, own, part }
    for i, scope in ipairs(scopes) do
      local limit = limit_of(scope)
      scopes[scope] = limit
      local opens = closed(scope, limit, slot and (not is_kept(slot) or scope == (part or own)))
      if opens == math.huge and has_back and not slot and holder_first(group) then return try(group) end
      if opens then return 'closed', scope, opens end
      if has_waits and i < 4 then chain[scope] = true end -- whatever becomes of this one, others may wait for it
    end
    local shared = shared_by(task)
    if shared then draws = {} end
    local costly_scope = shared and costly_for(shared, headers)
    if costly_scope then
      if slot then return 'closed', costly_scope, now + AGAIN end -- it had its turn, and none of its group passes it
      goes_back(id, name, list, group, costly_scope)
      if looks > LOOKS then return 'looked' end
      return try(group)
    end
    for _, one in ipairs(shared or NONE) do
      draws[one] = units_from(one, headers)
      local opens = shared_opens(one, draws[one], (not slot or is_kept(slot)) and used_of('shared:' .. one) or nil)
      if opens then return 'closed', 'shared:' .. one, opens end
    end
    for _, scope in ipairs(scopes) do
      local limit = scopes[scope]
      note_start(scope, limit)
      if limit and limit.broken then
        -- parts: breakers
        let_probe(scope, limit, id)
      end
    end
    for one, units in pairs(draws) do draw(one, units) end
  end
  let_through(id, name, list, group, task, headers, payload, draws)
  return 'through'
end

-- A group waits until a scope opens: its own by time or by the end of one of its jobs, any other with all who wait for it.
local shut = {}
local function set_aside(group, scope, opens)
  shut[group] = true
  if scope ~= 'group:' .. group then
    redis.call('ZADD', keys.waits .. scope, 'NX', now, group)
    redis.call('HSET', keys.gate, 'waits', 1, 'waits ' .. scope, 1)
  end
  if opens < math.huge then redis.call('ZADD', keys.opens, opens, scope) end
end

-- What one job adds to the tag of a scope.
local function step_of(scope)
  local limit = string.byte(scope, 7) ~= 42 and limit_of(scope)
  return UNIT / (limit and limit.weight or 1)
end

-- The next of a tenant: its own line, or one of its parts, in turns.
local function next_of(tenant)
  if not has_parts then return tenant end
  local inner = keys.parts .. tenant
  local head = redis.call('ZRANGE', inner, 0, 0, 'WITHSCORES')
  if #head == 0 then return tenant end
  return head[1] == '' and tenant or tenant .. ':' .. head[1], inner, head[1], tonumber(head[2])
end

-- Tenants by their tags, the lowest first.
local turns, at = {}, 1
local function put(head)
  local tag, low, high = head[1], at, #turns + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if turns[middle][1] <= tag then low = middle + 1 else high = middle end
  end
  table.insert(turns, low, head)
end

local function serve(head)
  local tag, tenant = head[1], head[2]
  local group, inner, part, part_tag = next_of(tenant)
  local count, result, scope, opens = 0, nil, nil, nil
  repeat
    result, scope, opens = try(group)
    if result == 'through' then count = count + 1 end
  until result ~= 'through' or count == burst or free < 1 or bytes >= BUDGET or closed('queue', queue_limit)
  if count > 0 then -- only what is served moves the time on: who was turned away is owed as much as before
    time = math.max(time, tag)
    tag = math.floor(tag + count * (has_limits and step_of('group:' .. tenant) or UNIT))
    new_tag[tenant], head[1] = tag, tag
  end
  if result == 'looked' then return put(head) end
  if result == 'closed' then set_aside(group, scope, opens) end
  if result == 'empty' then -- whatever has left it unseen
    redis.call('ZREM', keys.lines, group)
    if served[group] then served[group] = 0 end -- these were in the count that is gone; others may come in this call yet
  end
  -- Is the tenant closed, none of it is tried again, but for those of it that have their slots.
  local own_closed = result == 'closed' and scope == 'group:' .. tenant and not (inner and has_back)
  -- whether this line has nothing to give now, and whether the tenant has no other
  local off = result ~= 'through'
  if inner and not own_closed then
    if off then
      redis.call('ZREM', inner, part)
    else
      redis.call('ZADD', inner, string.format('%d', part_tag + count * step_of('group:' .. group)), part)
    end
    off = off and redis.call('EXISTS', inner) == 0
  end
  if off or own_closed then
    off_turn[#off_turn + 1] = tenant
    new_tag[tenant] = nil
    if tag > time then rested[#rested + 1], rested[#rested + 2] = string.format('%d', tag), tenant end
  else
    put(head)
  end
end

-- Those have their turn that wait for scopes which are open, as many as fit in: some of them may not need it then.
local function call_chain()
  -- parts: callers
  for scope in pairs(chain) do
    local limit = limit_of(scope)
    local room = limit and limit.jobs and math.min(free, limit.jobs - used_of(scope)) or free
    local shared = string.match(scope, '^shared:(.*)$')
    local opens = shared and (short[shared] and math.huge or shared_opens(shared, 1, used_of(scope))) or closed(scope, limit)
    if opens and opens < math.huge and redis.call('EXISTS', keys.waits .. scope) == 1 then
      redis.call('ZADD', keys.opens, opens, scope) -- something else has called it: it is to be called again
    end
    chain[scope] = room > 0 and not opens and call_waiting(scope, room) or nil
  end
end

local is_closed, tries = false, 0
while free > 0 and bytes < BUDGET and looks <= LOOKS and tries < 3000 do
  write_turns() -- before they are looked at again
  turns, at = {}, 1
  if next(chain) then call_chain() end
  local lined_before, needed = lined, math.ceil(free / burst)
  local wanted = needed + 8 -- some of them may be closed
  local found = redis.call('ZRANGE', keys.turns, 0, wanted - 1, 'WITHSCORES')
  local names = {}
  for i = 1, #found, 2 do
    turns[#turns + 1] = { tonumber(found[i + 1]), found[i] }
    if not has_parts and i < 2 * needed then
      local name = NORMAL .. found[i]
      if not lists[name] then names[#names + 1] = name end
    end
  end
  if #names > 0 then look_at(names, math.max(burst, math.ceil(free / #names))) end
  local beyond = #turns == wanted and turns[#turns][1] or math.huge -- others may have this tag, which are not looked at
  local progressed = false
  while free > 0 and bytes < BUDGET and looks <= LOOKS do
    local opens = closed('queue', queue_limit)
    if opens == math.huge and has_back then has_plain = false elseif opens then -- some may have their slots
      if opens < math.huge then redis.call('ZADD', keys.opens, opens, 'queue') end
      is_closed = true
      break
    end
    local head = turns[at]
    if head and head[1] > beyond and progressed then break end
    if has_plain and (not head or plain <= head[1]) then
      local count = head and math.min(free, math.floor((head[1] - plain) / UNIT) + 1) or free
      if is_limited then count = math.min(count, LINED) end
      local got, looked = read_plain(count)
      has_plain, plain = looked == count, plain + got * UNIT
    elseif not head then
      break
    else
      tries, progressed, at = tries + 1, true, at + 1
      serve(head)
      plain = math.max(plain, time)
    end
  end
  if is_closed or #turns < wanted and not next(chain) and lined == lined_before then break end
end

-- Write what has changed.
write_turns()
each('ZADD', keys.rested, rested)
if next(served) then
  -- parts: add_many count_used
  -- Only now: what is of another type than it should be, such as a key of some scope, has ended the call before.
  for i, job in ipairs(entries) do
    local entry = redis.call('XADD', keys.lanes[lane.passed], '*', 'task', job[1], 'payload', job[2], 'headers', job[3])
    moved[2 * i - 1], moved[2 * i] = passed[i], PASSED .. entry
  end
  each('HDEL', keys.parked, passed)
  add_many(keys.moved, moved)
  add_many(keys.out, out)
  for task, count in pairs(tasks) do used_more['task:' .. task] = count end
  for name, units in pairs(drawn) do used_more['shared:' .. name] = units end
  for group, count in pairs(given_out) do used_more['group:' .. group] = count end
  for tenant, count in pairs(of_parts) do used_more['group:' .. tenant] = count + (given_out[tenant] or 0) end
  count_used(used_more)
  local groups, left, none = {}, {}, {}
  for group in pairs(served) do groups[#groups + 1] = group end
  for i, before in ipairs(redis.call('ZMSCORE', keys.lines, unpack(groups))) do
    local after = (tonumber(before) or 0) - served[groups[i]]
    if after > 0 then left[#left + 1], left[#left + 2] = string.format('%d', after), groups[i] else none[#none + 1] = groups[i] end
  end
  each('ZADD', keys.lines, left)
  each('ZREM', keys.lines, none)
  if redis.call('EXISTS', keys.shut) == 1 then each('ZREM', keys.shut, groups) end
end
for group in pairs(shut) do redis.call('ZADD', keys.shut, 'NX', now, group) end
for scope in pairs(chain) do -- the next call goes on
  if redis.call('EXISTS', keys.waits .. scope) == 1 then redis.call('ZADD', keys.opens, is_closed and now + 1000 or now, scope) end
end

write_leases(free)
local more = 0
if redis.call('EXISTS', keys.lines) == 1 then
  redis.call('ZREMRANGEBYSCORE', keys.rested, '-inf', string.format('%d', time))
  redis.call('HSET', keys.gate, 'time', string.format('%d', time), 'plain', string.format('%d', plain))
  if #passed > 0 then redis.call('HDEL', keys.gate, 'entered') end
  local ended = free < 1 or bytes >= BUDGET or looks > LOOKS or tries >= 3000
  if ended and not is_closed and redis.call('EXISTS', keys.turns) == 1 then
    -- parts: ring
    ring() -- another may have free slots
    more = 1
  end
else
  -- parts: forget_turns
  forget_turns()
  if free > 0 then redis.call('HSET', keys.gate, 'idle', free) end -- its worker waits now
end
if has_plain and free < 1 or lined >= LINED then more = 1 end
local next_open = redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2]
if next_open and next_open ~= first_open then
  -- parts: signal_due
  signal_due(next_open)
end
return { more, unpack(given) }

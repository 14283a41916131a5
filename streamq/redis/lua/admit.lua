#!lua
-- New jobs of which more must be decided than enqueue.lua does: their lane, their unique key, the bounds of the queue and
-- the pause of their task. A batch that comes again is answered, not added.
-- keys: lanes parked delayed moved unique windows steering held producer signals staying gate
-- arguments:
--   batch         its number
--   remembered    ms the producer's record is kept
--   sequence      number in the id of the first one that is born parked; the next have the next
--   generation    the number of the last change of partitions that the producer knows: it is refused where there is a later
--   asks          "" or, as a JSON list, groups and keys that have another home by now: it is refused unless one is here yet.
--                 Of a key with "=" before it that stands without a job alone, which the one job of the batch meets
--   groups...     jobs that come one after the other and are alike: how many (at most 1000), number of their lane, until
--                 what their keys are taken (done, started, window or debounce; "" where they have none), ms of the window,
--                 ms after which a job is no longer put off ("" for no limit), what becomes of one that meets another, and
--                 "1" where they are not for now; then of each: task, payload, headers, its key where they have any, and
--                 its due time where they are not for now
-- returns 1 when anything was told to the queue, else 0; then for each job its id, with a colon and its disposition unless
--   it was created; all separated by spaces. "ID+n" stands for ID and the n that follow it, one by one
-- parts: clock leave_gate

local answered = redis.call('GET', keys.producer)
if answered then
  local last, reply = string.match(answered, '^(%d+) (.*)$')
  if last and last == args.batch then
    redis.call('PEXPIRE', keys.producer, args.remembered) -- a write, for WAIT and WAITAOF
    return reply
  end
  if last and tonumber(last) > tonumber(args.batch) then
    return redis.error_reply('STALE batch ' .. args.batch .. ' comes after batch ' .. last)
  end
end

-- parts: not_at_home
local elsewhere = not_at_home()
if elsewhere then return redis.error_reply('STALE ' .. elsewhere) end

-- parts: steered each add seal due
local WIDTH = 7
if string.sub(args.asks, 1, 3) == '["=' then
  -- parts: holder_of_key
  local id, _, _, number = holder_of_key(ARGV[first.groups + WIDTH + 3])
  if not id or number ~= nil then return redis.error_reply('STALE home') end
end
local now_text, parked_so_far, born = string.format('%.0f', now), 0, {}

local function width_of(at)
  return 3 + (ARGV[at + 2] ~= '' and 1 or 0) + (ARGV[at + 6] ~= '' and 1 or 0)
end

-- A refused batch is refused whole. A lone job needs no look at the keys that it is written to first, or that are read
-- before.
local function check()
  -- expects: lanes parked delayed moved unique windows held
end
local of_gate = redis.call('HMGET', keys.gate, 'bounded', 'idle')
local function check_gate()
  -- expects: lines turns out used limits bell
end
local lone = #ARGV == first.groups + WIDTH - 1 + width_of(first.groups)
if not lone and string.find(ARGV[first.groups + WIDTH + 2] or '', '"group"', 1, true) then check_gate() end
if steered or not lone then
  check()
elseif ARGV[first.groups + 2] == 'window' then
  -- expects: windows
end

if steered then
  -- How many of a group would wait: none that is put off, and none of a key that has its job already.
  local function would_wait(at, count)
    if ARGV[at + 6] ~= '' or ARGV[at + 2] == 'debounce' then return 0 end
    if ARGV[at + 2] == '' then return count end
    local named, seen, more = {}, {}, 0
    for n = 1, count do named[n] = ARGV[at + WIDTH + 4 * n - 1] end
    for n, standing in ipairs(redis.call('HMGET', keys.unique, unpack(named))) do
      local ends = standing and tonumber(string.match(standing, '^%S+ (%d+)'))
      if not seen[named[n]] and (not standing or ends and ends <= now) then more = more + 1 end
      seen[named[n]] = true
    end
    return more
  end

  local at, at_once = first.groups, 0
  while at <= #ARGV do
    local count = tonumber(ARGV[at])
    at_once = at_once + would_wait(at, count)
    at = at + WIDTH + count * width_of(at)
  end
  local full = over_bound(at_once)
  if full then return redis.error_reply(full) end
end

-- How many of each group would wait is counted, but none that is put off, and none of a key that has its job already.
if of_gate[1] then
  -- parts: over_group_bound group_of
  local more, met, at = {}, {}, first.groups
  while at <= #ARGV do
    local count, width, due = tonumber(ARGV[at]), width_of(at), ARGV[at + 6] ~= ''
    for n = 1, due and 0 or count do
      local headers = ARGV[at + WIDTH + width * (n - 1) + 2]
      local group = string.find(headers, '"group"', 1, true) and group_of(headers)
      local key = group and ARGV[at + 2] ~= '' and ARGV[at + WIDTH + width * (n - 1) + 3]
      local is_met = key and (met[key] or redis.call('HEXISTS', keys.unique, key) == 1)
      if group and not is_met then more[group] = (more[group] or 0) + 1 end
      if key then met[key] = true end
    end
    at = at + WIDTH + count * width
  end
  for group, count in pairs(more) do
    local full = over_group_bound(group, count)
    if full then return redis.error_reply(full) end
  end
end

-- An id of its own for a job that is born parked, or in a lane whose entries the server must not number.
local function parked_id()
  parked_so_far = parked_so_far + 1
  return now_text .. string.format('-%.0f', args.sequence + parked_so_far - 1)
end

local function with_id(id, headers)
  return '{"id":"' .. id .. '"' .. (headers == '' and '}' or ',' .. string.sub(headers, 2)) -- we wrote them, and without an id
end

-- What is to be written of the jobs so far, together: envelopes, due times, keys, ends of windows.
local envelopes, dues, standings, ends = {}, {}, {}, {}

local function write()
  if #dues > 0 then
    -- parts: park signal_due
    local earliest = park(dues, envelopes)
    if earliest then signal_due(earliest) end
  else
    each('HSET', keys.parked, envelopes)
  end
  each('HSET', keys.unique, standings)
  each('ZADD', keys.windows, ends)
  envelopes, dues, standings, ends = {}, {}, {}, {}
end

local regular -- whether the ids of a group follow each other

local function create_parked(task, payload, headers, due)
  local id, n = parked_id(), #envelopes
  envelopes[n + 1], envelopes[n + 2] = id, seal(task, with_id(id, headers), payload)
  if due then dues[#dues + 1], dues[#dues + 2] = due, id end
  return id
end

-- Entries of the lanes of a priority get ids that tell the lane and are no other lane's; the server numbers those after
-- the first.
local function create_in(number, task, payload, headers)
  if number == lane.ready then return add(keys.lanes[number], task, payload, headers) end
  local wanted = now_text .. '-*'
  if not born[number] then
    -- parts: open_lane
    open_lane(number)
    wanted = now_text .. string.format('-%.0f', number * lane.births + clock[2] % 1000 * 1048576)
    born[number] = true
  end
  if wake_waiter then wake_waiter() end
  local added = redis.pcall('XADD', keys.lanes[number], wanted, 'task', task, 'payload', payload, 'headers', headers)
  if type(added) == 'string' then return added end
  -- the clock was set back: it gets an id as if it were born parked, and moves at once
  -- parts: placed
  local own = parked_id()
  regular = false
  placed(own, number, add(keys.lanes[number], task, payload, with_id(own, headers)))
  return own
end

-- A job of a group waits in its line; those of one group and priority are put there together.
local lined, lined_so_far, passes = {}, 0, nil
local function passed_now(...)
  if passes == nil then
    -- parts: pass_now
    passes = pass_now
  end
  return passes(...)
end

local function create_in_line(group, number, task, payload, headers)
  -- shorter by a digit than others of those that are born parked, so that its key takes less memory
  local id = now_text .. string.format('-%.0f', lane.alone * lane.births + args.sequence % lane.births + lined_so_far)
  local n, list = #envelopes, number .. ':' .. group
  lined_so_far = lined_so_far + 1
  if lone then
    if of_gate[2] and not (steered and is_paused('task:' .. task)) and passed_now(id, group, task, payload, with_id(id, headers)) then return id end
    check_gate()
  end
  envelopes[n + 1], envelopes[n + 2] = id, seal(task, headers, payload) -- the gate adds the id, which is kept but once
  lined[list] = lined[list] or { group = group, number = number }
  local ids = lined[list]
  ids[#ids + 1] = id
  return id
end

local function create(number, task, payload, headers, due)
  if due then return create_parked(task, payload, headers, due) end
  if string.find(headers, '"group"', 1, true) then -- where its task is paused, the gate holds it in its turn
    -- parts: group_of
    local group = group_of(headers)
    if group then return create_in_line(group, number, task, payload, headers) end
  end
  if steered and is_paused('task:' .. task) then
    -- parts: hold
    regular = false
    local id = create_parked(task, payload, headers)
    hold(task, id)
    return id
  end
  return create_in(number, task, payload, headers)
end

-- The job that takes a key is made under these terms.
local function create_with_key(group, key, task, payload, headers, due, rest)
  local taken = group.taken
  if taken == 'debounce' then due = due or now + math.min(group.window, tonumber(group.longest) or math.huge) end
  local id = create(group.lane, task, payload, headers, due)
  if taken == 'window' then
    taken = string.format('%.0f', now + group.window)
    ends[#ends + 1], ends[#ends + 2] = taken, key
  elseif taken == 'debounce' then
    taken = 'started'
  end
  standings[#standings + 1], standings[#standings + 2] = key, id .. ' ' .. taken .. (rest or '')
  return id
end

-- What becomes of a job whose key is taken. All that it needs is defined when the first one comes, as most times none does.
local meets
local function met(...)
  if not meets then
    -- parts: unique
    meets = meet
  end
  return meets(...)
end

local reply = { steered and '1' or '0' }

-- A stream numbers what it gets within a millisecond, and we what is parked, so all between two ids of one millisecond
-- follow each other.
local function tell_runs(ids, from, to)
  if string.match(ids[from], '^%d+') == string.match(ids[to], '^%d+') then
    reply[#reply + 1] = from == to and ids[from] or ids[from] .. '+' .. (to - from)
  else
    local middle = math.floor((from + to) / 2)
    tell_runs(ids, from, middle)
    tell_runs(ids, middle + 1, to)
  end
end

-- Make the jobs of a group with keys, from `at` on. Most keys are free, which is asked for all at once.
local function make_unique(group, at, width, count)
  local named, known, told = {}, {}, {}
  if #standings > 0 then write() end -- a group before this one may have taken its keys
  for n = 1, count do named[n] = ARGV[at + (n - 1) * width + 3] end
  local standing = redis.call('HMGET', keys.unique, unpack(named))
  for n, key in ipairs(named) do
    local i, id, disposition = at + (n - 1) * width, nil, nil
    local due = group.later and due_at(ARGV[i + 4]) or nil
    if standing[n] or known[key] then
      write()
      id, disposition = met(group, key, ARGV[i], ARGV[i + 1], ARGV[i + 2], due)
      regular = false
    else
      id = create_with_key(group, key, ARGV[i], ARGV[i + 1], ARGV[i + 2], due)
    end
    known[key] = true
    told[n] = disposition and id .. ':' .. disposition or id
  end
  return told
end

local at = first.groups
while at <= #ARGV do
  local count, width = tonumber(ARGV[at]), width_of(at)
  local group = {
    lane = tonumber(ARGV[at + 1]), taken = ARGV[at + 2], window = ARGV[at + 3], longest = ARGV[at + 4],
    conflict = ARGV[at + 5], later = ARGV[at + 6] ~= '',
  }
  at, regular = at + WIDTH, true
  local told = {}
  if group.taken ~= '' then
    told = make_unique(group, at, width, count)
  else
    for n = 1, count do
      local i = at + (n - 1) * width
      told[n] = create(group.lane, ARGV[i], ARGV[i + 1], ARGV[i + 2], group.later and due_at(ARGV[i + 3]) or nil)
    end
  end
  if regular then tell_runs(told, 1, count) else reply[#reply + 1] = table.concat(told, ' ') end
  at = at + count * width
end
-- Lines first: a key of another type refuses the batch before any of these jobs is there.
for list, ids in pairs(lined) do each('RPUSH', keys.line .. list, ids) end
write()
if next(lined) or steered and redis.call('HEXISTS', keys.gate, 'limited') == 1 then
  -- parts: take_turn ring
  for _, ids in pairs(lined) do
    if ids.number ~= lane.ready then redis.call('HSET', keys.gate, 'urgent', 1) end
    redis.call('ZINCRBY', keys.lines, #ids, ids.group)
    take_turn(ids.group)
  end
  ring()
end
local said = table.concat(reply, ' ')
redis.call('SET', keys.producer, args.batch .. ' ' .. said, 'PX', args.remembered)
return said

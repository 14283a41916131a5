#!lua flags=allow-oom
-- One step of an operation by filter: the jobs of one page that its filter means are retried, cancelled, promoted or
-- deleted, and counted in the same call. It is taken only from the place where the operation is, so that of two who took
-- it, or of one who took it twice, one did.
-- keys: lanes moved parked delayed held finished failures fingerprints fingerprinted cancelled expired cancels retention unique operations ended signals gate
-- arguments:
--   operation     its id
--   at            the place from which the page was read
--   next          the place behind it ("" at the end)
--   looked        how many jobs it has
--   told          what the records of cancelled jobs are to say of their end, as JSON; the time is added
--   keep_failed   how many cancelled jobs are kept
--   before        how many jobs were changed in the partitions that have had their turn; 0 where this is the first
--   credit        how many may be changed at once, as those have left it of the rate
--   jobs...       of each that is meant: id, the state it was in with the version where the filter has read it, and the
--     place behind it ("" where that is not known)
-- returns its state ("" where there is no such operation), how many jobs this step changed, and ms until the next may be
--   taken
-- parts: clock operation leave_gate
local bulk = read_operation(args.operation)
if not bulk then return { '', 0, 0 } end
if bulk.state ~= 'running' then return { bulk.state, 0, 0 } end
if bulk.cursor ~= args.at then return { 'running', 0, 0 } end

-- parts: budget each state_of
-- expects: lanes moved parked finished unique delayed failures fingerprints fingerprinted cancelled expired cancels held retention

-- Whether records of jobs that have failed since it began may be forgotten by now: there are as many as are kept.
local function forgets_failures()
  -- parts: failures_kept
  local keep = failures_kept(args.keep_failed)
  local oldest = tonumber(redis.call('ZRANGE', keys.failures, 0, 0, 'WITHSCORES')[2] or now)
  return redis.call('ZCARD', keys.failures) >= keep and oldest >= tonumber(bulk.created_ms)
end

-- The first jobs of a redrive are on trial: the others wait for their ends.
bulk.before = bulk.before or tonumber(args.before)
local tried = bulk.before + bulk.done -- while they are on trial there are no others
local function trial()
  local trial, waits, unknown = bulk.trial or {}, {}, 0
  for _, id in ipairs(trial) do
    local record = redis.call('HGET', keys.finished, id)
    local state = record and state_of(record)
    if state == outcome.failed or state == outcome.expired then bulk.failed_again = (bulk.failed_again or 0) + 1
    elseif not record then
      -- parts: living_state
      -- else its record is forgotten already: it was no failure, unless those of failures are forgotten as soon
      if living_state(id) then waits[#waits + 1] = id elseif forgets_failures() then unknown = unknown + 1 end
    end
  end
  bulk.trial = #waits > 0 and waits or nil
  if (bulk.failed_again or 0) > 0 then
    bulk.reason = string.format('%.0f of the first %.0f jobs failed again', bulk.failed_again, tried)
    end_operation(bulk, 'stopped')
  elseif unknown > 0 then
    bulk.reason = string.format('what became of %.0f of the first %.0f jobs is not known: no record is left', unknown, tried)
    end_operation(bulk, 'stopped')
  elseif #waits == 0 then
    bulk.canary_passed = true
  end
end

local TRIAL_LOOK = 200 -- ms between two looks at those on trial

-- How many jobs may be changed now, and ms until there may be more.
local room = 1000000
if bulk.canary and not bulk.canary_passed then
  room = bulk.canary - tried
  if room <= 0 or bulk.cursor == '-' then
    trial()
    if bulk.state ~= 'running' or not bulk.canary_passed then
      write_operation(args.operation, bulk)
      return { bulk.state, 0, TRIAL_LOOK }
    end
    room = 1000000
  end
end
if bulk.rate then -- so many a second, and never more than those of a second at once
  local passed = now - (bulk.credit_ms or now)
  local credit = math.min(math.max(1, bulk.rate), (bulk.credit or tonumber(args.credit)) + math.max(0, passed) * bulk.rate / 1000)
  bulk.credit, bulk.credit_ms = credit, now
  room = math.min(room, math.floor(credit))
  if room < 1 and #ARGV >= first.jobs then
    write_operation(args.operation, bulk)
    return { 'running', 0, math.ceil((1 - credit) * 1000 / bulk.rate) }
  end
end

-- The operation is for jobs in some states, and of those that have ended for those that had ended when it began. A job
-- may have changed since its page was read: it is none of them then. One that this operation has retried, and that has
-- failed again, is met a second time.
local wanted, ORDERS = {}, { failed = keys.failures, cancelled = keys.cancelled, expired = keys.expired }
for _, state in ipairs(bulk.states) do wanted[state] = true end

-- Whether a job that has ended is still the one that was read; and whether it has ended again since.
local function is_as_read(id, state)
  if not ORDERS[state] then return true end
  local ended = tonumber(redis.call('ZSCORE', ORDERS[state], id) or nil)
  local is_later = ended and ended > tonumber(bulk.last_end)
  return ended and not is_later, is_later
end

-- Whether a parked job came after the operation began.
-- parts: birth
local function is_younger(id)
  return (birth_of(id) or 0) > bulk.created_ms
end

-- What the acts leave to do for all of their jobs at once, as that costs the server a third.
local bytes, changed, retried, cancelled, deleted, told = 0, 0, {}, {}, {}, nil

-- parts: places unseal rewritten own_headers wait again
local ACTS = {}

-- Whether a job was changed since the filter has read it. Takes its headers, or what they are split into.
local function was_edited(headers, version)
  if version == '' then return false end
  return count_of(type(headers) == 'string' and split(headers) or headers, 'version') ~= tonumber(version)
end

function ACTS.retry(id, state)
  local same, is_later = is_as_read(id, state)
  if not same then return false, 0, is_later end
  local said, size = again(id)
  if said[1] ~= 'moved' then return false, size end
  retried[#retried + 1] = id
  return true, size
end

function ACTS.promote(id, _, version)
  local envelope = redis.call('ZSCORE', keys.delayed, id) and redis.call('HGET', keys.parked, id)
  if not envelope then return false, 0 end
  if is_younger(id) then return false, #envelope, true end
  local task, headers, payload = unseal(envelope)
  local list, mine = split(headers), '"' .. args.operation .. '"'
  if was_edited(list, version) then return false, #envelope end
  local by = own(list, 'promoted_by')
  if by and string.sub(headers, by.from, by.to) == mine then return false, #envelope, true end -- it is delayed again
  local more = ',"version":' .. count_of(list, 'version') + 1 .. ',"promoted_by":' .. mine
  local kept = rewritten(list, id, { version = true, promoted_by = true }, more)
  redis.call('HDEL', keys.parked, id)
  wait(id, task, payload, kept)
  redis.call('ZREM', keys.delayed, id)
  return true, #envelope
end

function ACTS.delete(id, state)
  local same, is_later = is_as_read(id, state)
  if not same then return false, 0, is_later end
  if redis.call('HDEL', keys.finished, id) == 0 then return false, 0 end
  if state ~= outcome.completed then deleted[#deleted + 1] = id end -- their list is long: the pruner takes the id out
  return true, 0
end

-- Whether a worker has the entry: asked one by one only for what lies before the last one that was delivered.
-- parts: delivered comes_before
local last_of = {}
local function is_held_by_a_worker(number, entry)
  last_of[number] = last_of[number] or last_delivered(number)
  return not comes_before(last_of[number], entry) and holder_of(number, entry) ~= ''
end

-- Jobs that wait lie side by side in their lane: those of a call are read together, and taken out together at its end.
-- An entry is the job's where `entry_of` says so, too: another program may have written an id that is another job's.
local near, taken, gone = {}, {}, {}
local function read_near()
  local number, from, to, count = nil, nil, nil, 0
  for i = first.jobs, #ARGV, 3 do
    local named, entry = string.match(ARGV[i + 2], '^waiting%.(%d+):(%d+%-%d+)$')
    if not entry or number and named ~= number then break end
    number, from, to, count = named, from or entry, entry, count + 1
  end
  number = tonumber(number)
  if count < 2 or number < 1 or number > #keys.lanes then return end
  local found, ids = redis.call('XRANGE', keys.lanes[number], from, to, 'COUNT', 2 * count), {}
  for i, entry in ipairs(found) do
    local task, payload, headers = parse(entry[2])
    ids[i] = id_of(headers) or entry[1]
    found[i] = { number, entry[1], task, payload, headers }
  end
  for i, place in ipairs(#ids > 0 and redis.call('HMGET', keys.moved, unpack(ids)) or {}) do
    local entry = found[i][2]
    if place == number .. ' ' .. entry or not place and ids[i] == entry and born_in(entry) == number then near[ids[i]] = found[i] end
  end
end

local function entry_near(id)
  local found = near[id]
  if found then return found[1], found[2], found[3], found[4], found[5] end
  return entry_of(id)
end

local gated = redis.call('EXISTS', keys.lines, keys.out) > 0 -- some may be in lines, or past the gate

function ACTS.cancel(id, _, version)
  -- parts: cancelled leave_line
  if not told then
    told = string.sub(args.told, 1, -2) .. ',"asked_at":' .. string.format('%.0f', now) .. '}'
    read_near()
  end
  if gone[id] then return false, 0 end
  local number, entry, task, payload, headers = entry_near(id)
  if number then
    local is_held = is_held_by_a_worker(number, entry)
    if not wanted[is_held and 'active' or 'waiting'] or was_edited(headers, version) then return false, #payload end
    if is_held then
      if redis.call('HSETNX', keys.cancels, id, told) == 0 then return false, #payload end
      -- parts: publish
      redis.pcall(PUBLISH, keys.signals, 'cancel ' .. id .. '\n\n')
      return true, #payload
    end
    gone[id], taken[number] = true, taken[number] or {}
    taken[number][#taken[number] + 1] = entry
  else
    local envelope = redis.call('HGET', keys.parked, id)
    if not envelope then return false, 0 end
    if is_younger(id) then return false, #envelope, true end
    local is_delayed = redis.call('ZSCORE', keys.delayed, id)
    if not wanted[is_delayed and 'delayed' or 'held'] then return false, #envelope end
    task, headers, payload = unseal(envelope)
    if was_edited(headers, version) then return false, #envelope end
    if gated then leave_line(id, task, headers) end
    redis.call('HDEL', keys.parked, id)
    redis.call('ZREM', keys.delayed, id)
    redis.call('ZREM', keys.held, task .. '\n' .. id)
  end
  cancel(cancelled, id, '', task, headers, payload, told)
  return true, #payload + #headers
end

local act, at, whole = ACTS[bulk.kind], args.at, true
for i = first.jobs, #ARGV, 3 do
  if changed >= room or bytes > BUDGET then
    whole = false
    break
  end
  local done, size, came_later = act(ARGV[i], string.match(ARGV[i + 1], '^(%a+) ?(%d*)$'))
  bytes = bytes + size
  if done then
    changed = changed + 1
    if bulk.canary and not bulk.canary_passed then
      bulk.trial = bulk.trial or {}
      bulk.trial[#bulk.trial + 1] = ARGV[i]
    end
  elseif not came_later then
    bulk.skipped = (bulk.skipped or 0) + 1
  end
  if ARGV[i + 2] ~= '' then at = ARGV[i + 2] end
end

if #retried > 0 then forget_ended(retried) end
if #deleted > 0 then forget_ended(deleted) end
for number, entries in pairs(taken) do each('XDEL', keys.lanes[number], entries) end
if #cancelled > 0 then
  -- parts: cancelled heard signal_ended
  bury_cancelled(cancelled)
  if redis.call('EXISTS', keys.out) == 1 then -- some may have been let through, and nobody has them
    -- parts: leave_gate
    local ids = {}
    for i = 1, #cancelled, 2 do ids[#ids + 1] = cancelled[i] end
    leave_gate(ids)
  end
  if heard() then signal_ended({ cancelled, 1, #cancelled }) end
end

bulk.done = bulk.done + changed
if bulk.rate then bulk.credit = bulk.credit - changed end
if whole then bulk.looked = (bulk.looked or 0) + tonumber(args.looked) end
bulk.cursor = whole and args.next or at
local on_trial = bulk.canary and not bulk.canary_passed and bulk.trial
if whole and args.next == '' then
  bulk.cursor = '-' -- behind all states
  if not on_trial then end_operation(bulk, 'done') end
end
write_operation(args.operation, bulk)
return { bulk.state, changed, on_trial and bulk.before + bulk.done >= bulk.canary and TRIAL_LOOK or 0 }

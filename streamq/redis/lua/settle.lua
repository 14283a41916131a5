#!lua flags=allow-oom
-- The outcomes of attempts. An outcome counts only while the entry is pending: XACK is the fence, and whoever took a job
-- away has deleted its entry too.
-- keys: lanes parked delayed moved finished completed failures fingerprints fingerprinted failure_kinds cancelled expired cancels retention unique steering held followers ended signals gate
-- arguments:
--   keep_completed   how many completed jobs are kept
--   keep_failed      how many failed ones
--   groups...        of each kind of outcome and lane: kind, lane, number n (at most 1000), m, whole, k, n times id and
--                    body: the record, passed on as it came, for that is most of the work here, or the envelope of
--                    a delayed or held job; of delayed ones, n due times follow; then m entries: n, or 0 where they
--                    are the ids; then k unique keys: n where any of them has one, else 0. Whole is "1" where the
--                    entries are all that one read brought, in its order
-- returns now, then each entry that was refused
-- parts: clock each heard finish leave_gate
local refused, earliest = { now }, nil
local news = heard() and {}

-- Take entries out of their lane. The server looks for each of them from the start of its block, which is half of what a
-- job costs, so what one read brought goes as the beginning of the stream, once nothing older is left: all that ever lay
-- between its first and its last entry is among them.
local function remove(stream, entries, whole)
  if whole and #redis.call('XRANGE', stream, '-', '(' .. entries[1], 'COUNT', 1) == 0 then
    local trimmed = redis.pcall('XTRIM', stream, 'MINID', entries[#entries]) -- which may be forbidden to our user
    if type(trimmed) == 'number' then entries = { entries[#entries] } end
  end
  each('XDEL', stream, entries)
end

-- The key that orders the jobs that ended so, other than completed.
local function order_of(kind)
  return kind == outcome.failed and keys.failures or kind == outcome.cancelled and keys.cancelled or keys.expired
end

-- Outcomes of one kind; from `at` on `list` has id and body of each, and their due times.
local function write(kind, lane, entries, ids, list, at, whole)
  if lane == lane.passed or lane == lane.alone and redis.call('EXISTS', keys.out) == 1 then
    -- parts: leave_gate
    local keep
    if redis.call('HEXISTS', keys.gate, 'breakers') == 1 then
      -- parts: breakers unseal
      local failed = {}
      for i = 1, #ids do
        if kind == outcome.completed or kind == outcome.failed then failed[i] = kind == outcome.failed end
        if kind == outcome.delayed and string.find(list[at + 2 * i - 1], '"failing"', 1, true) then
          local _, headers = unseal(list[at + 2 * i - 1])
          failed[i] = string.find(headers, '"failing"', 1, true) and true or nil
        end
      end
      note_ends(ids, failed)
    end
    if kind == outcome.delayed or kind == outcome.held then -- those keep their slots whose order is strict
      -- parts: limits group_of unseal
      keep = {}
      for i, id in ipairs(ids) do
        local _, headers = unseal(list[at + 2 * i - 1])
        local group = group_of(headers)
        keep[id] = group and is_strict(group) and redis.call('HEXISTS', keys.cancels, id) == 0
      end
    end
    leave_gate(ids, keep)
  end
  if (kind == outcome.delayed or kind == outcome.held) and redis.call('HLEN', keys.cancels) > 0 then
    -- parts: spared
    local ended = {}
    entries, ids, list = spared(lane, entries, ids, list, at, ended)
    at, whole = 1, false
    if news then news[#news + 1], news[#news + 2], news[#news + 3] = ended, 1, #ended end
  end
  local to = at + 2 * #ids - 1
  if kind == outcome.completed then
    finish(tonumber(args.keep_completed), ids, list, at, to)
  elseif kind ~= outcome.delayed and kind ~= outcome.held then
    -- parts: bury
    local old, kept = bury(order_of(kind), tonumber(args.keep_failed), ids, list, at, to)
    if kind == outcome.cancelled then each('HDEL', keys.cancels, ids) end
    if kind == outcome.failed then
      -- parts: follow failure_kinds failed_no_more
      follow(list, at, to)
      if kept then note_failures(list, at, to) end
      failed_no_more(old)
    end
  elseif kind == outcome.delayed then
    -- parts: due park
    local dues = {}
    for i, id in ipairs(ids) do dues[2 * i - 1], dues[2 * i] = due_at(list[to + i]), id end
    local due = park(dues, list, at, to)
    earliest = due and math.min(due, earliest or due) or earliest
  end
  if news and kind ~= outcome.delayed and kind ~= outcome.held and #ids > 0 then news[#news + 1], news[#news + 2], news[#news + 3] = list, at, to end
  remove(keys.lanes[lane], entries, whole)
  if entries ~= ids then
    local moved = {}
    for i, id in ipairs(ids) do
      if id ~= entries[i] then moved[#moved + 1] = id end
    end
    each('HDEL', keys.moved, moved)
  end
  if kind ~= outcome.held then return end
  -- parts: steered hold unseal wait
  for i, id in ipairs(ids) do
    local envelope = list[at + 2 * i - 1]
    local task, headers, payload = unseal(envelope)
    if steered and is_paused('task:' .. task) then
      redis.call('HSET', keys.parked, id, envelope)
      hold(task, id)
    else -- the task was resumed before its worker heard of it
      wait(id, task, payload, headers, nil, true)
    end
  end
end

-- expects: moved
local at = first.groups
while at <= #ARGV do
  local kind, lane, n, m, whole = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4]
  local keyed = tonumber(ARGV[at + 5])
  at = at + 6
  local ids, dues = {}, at + 2 * n
  for i = 1, n do ids[i] = ARGV[at + 2 * i - 2] end
  local beyond = dues + (kind == outcome.delayed and n or 0) + m
  local entries = m > 0 and { unpack(ARGV, beyond - m, beyond - 1) } or ids
  if kind == outcome.delayed or kind == outcome.held then
    -- expects: parked
    redis.call('ZCARD', kind == outcome.held and keys.held or keys.delayed)
    if redis.call('HLEN', keys.cancels) > 0 then redis.call('ZCARD', keys.cancelled) end
  else
    -- expects: finished
    if kind == outcome.completed then redis.call('LLEN', keys.completed) else redis.call('ZCARD', order_of(kind)) redis.call('HLEN', keys.retention) end
    if kind == outcome.cancelled then redis.call('HLEN', keys.cancels) end
    if kind == outcome.failed then
      -- expects: fingerprints fingerprinted failure_kinds
    end
  end
  if keyed > 0 then
    -- expects: unique parked delayed
  end
  local ended = ids
  if redis.call('XACK', keys.lanes[lane], GROUP, unpack(entries)) == n then
    write(kind, lane, entries, ids, ARGV, at, whole == '1')
  else
    -- Lay out those whose entries are still there as all came. Deleting one tells, and does not read it; the second
    -- outcome of one entry finds it gone.
    local left, named, list, due = {}, {}, {}, {}
    for i, entry in ipairs(entries) do
      if redis.call('XDEL', keys.lanes[lane], entry) == 0 then
        refused[#refused + 1] = entry
      else
        left[#left + 1], named[#named + 1] = entry, ids[i]
        list[#list + 1] = ids[i]
        list[#list + 1] = ARGV[at + 2 * i - 1]
        if kind == outcome.delayed then due[#due + 1] = ARGV[dues + i - 1] end
      end
    end
    for _, when in ipairs(due) do list[#list + 1] = when end
    write(kind, lane, left, named, list, 1, false)
    ended = named
  end
  if keyed > 0 then
    -- parts: leave_keys
    local key_of, given_up, of = {}, {}, {}
    for i, id in ipairs(ids) do key_of[id] = ARGV[beyond + i - 1] end
    for _, id in ipairs(ended) do
      if key_of[id] ~= '' then given_up[#given_up + 1], of[#of + 1] = key_of[id], id end
    end
    leave_keys(given_up, of)
  end
  at = beyond + keyed
end

if news then
  -- parts: signal_ended
  signal_ended(news)
end
if earliest then
  -- parts: signal_due
  signal_due(earliest)
end
return refused

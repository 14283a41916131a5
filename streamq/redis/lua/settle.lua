#!lua flags=allow-oom
-- The outcomes of attempts. An outcome counts only while the entry is pending: XACK is the fence, and whoever took a job
-- away has deleted its entry too.
-- keys: lanes parked delayed moved finished completed failures cancelled expired cancels unique ended signals
-- arguments:
--   keep_completed   how many completed jobs are kept
--   keep_failed      how many failed ones
--   groups...        of each kind of outcome and lane: kind, lane, number n (at most 1000), n entries, and n times id
--                    and body: the record, passed on as it came, for that is most of the work here, or the envelope of
--                    a delayed job; of these, n due times follow
-- returns now, then each entry that was refused
-- parts: clock each heard finish
local refused, earliest = { now }, nil
local news = heard() and {}

-- n outcomes of one kind that lie in `list` from `at` on: n entries, n times id and body, and due times.
local function write(kind, lane, list, at, n)
  if kind == outcome.delayed and redis.call('HLEN', keys.cancels) > 0 then
    -- parts: spared
    local ended = {}
    list, n = spared(lane, list, at, n, ended)
    at = 1
    if news then news[#news + 1], news[#news + 2], news[#news + 3] = ended, 1, #ended end
  end
  local ids, moved, from, to = {}, {}, at + n, at + 3 * n - 1
  for i = 1, n do
    local id = list[from + 2 * i - 2]
    ids[i] = id
    if id ~= list[at + i - 1] then moved[#moved + 1] = id end
  end
  if kind == outcome.completed then
    finish(tonumber(args.keep_completed), ids, list, from, to)
  elseif kind == outcome.failed then
    -- parts: bury
    bury(keys.failures, tonumber(args.keep_failed), ids, list, from, to)
  elseif kind == outcome.cancelled or kind == outcome.expired then
    -- parts: bury
    bury(kind == outcome.cancelled and keys.cancelled or keys.expired, tonumber(args.keep_failed), ids, list, from, to)
    each('HDEL', keys.cancels, ids)
  else
    -- parts: due park
    local dues = {}
    for i = 1, n do dues[2 * i - 1], dues[2 * i] = due_at(list[to + i]), ids[i] end
    local due = park(dues, list, from, to)
    earliest = due and math.min(due, earliest or due) or earliest
  end
  if news and kind ~= outcome.delayed and n > 0 then news[#news + 1], news[#news + 2], news[#news + 3] = list, from, to end
  each('XDEL', keys.lanes[lane], list, at, at + n - 1)
  each('HDEL', keys.moved, moved)
end

-- The sizes of the keys that are written: a key of the wrong type raises before anything is.
redis.call('HLEN', keys.moved)
local at = first.groups
while at <= #ARGV do
  local kind, lane, n = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  if kind == outcome.delayed then
    redis.call('HLEN', keys.parked)
    redis.call('ZCARD', keys.delayed)
  else
    redis.call('HLEN', keys.finished)
    if kind == outcome.completed then
      redis.call('LLEN', keys.completed)
    else
      for _, index in ipairs({ keys.failures, keys.cancelled, keys.expired }) do redis.call('ZCARD', index) end
      redis.call('HLEN', keys.cancels)
    end
  end
  if redis.call('XACK', keys.lanes[lane], GROUP, unpack(ARGV, at, at + n - 1)) == n then
    write(kind, lane, ARGV, at, n)
  else
    -- Lay out those whose entries are still there as all came. Deleting one tells, and does not read it; the second
    -- outcome of one entry finds it gone.
    local list, bodies, dues, left = {}, {}, {}, 0
    for i = 0, n - 1 do
      local entry = ARGV[at + i]
      if redis.call('XDEL', keys.lanes[lane], entry) == 0 then
        refused[#refused + 1] = entry
      else
        left = left + 1
        list[left] = entry
        bodies[2 * left - 1], bodies[2 * left] = ARGV[at + n + 2 * i], ARGV[at + n + 2 * i + 1]
        if kind == outcome.delayed then dues[left] = ARGV[at + 3 * n + i] end
      end
    end
    for _, part in ipairs(bodies) do list[#list + 1] = part end
    for _, due in ipairs(dues) do list[#list + 1] = due end
    write(kind, lane, list, 1, left)
  end
  at = at + (kind == outcome.delayed and 4 or 3) * n
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

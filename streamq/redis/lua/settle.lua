#!lua flags=allow-oom
-- The outcomes of attempts. An outcome counts only if its worker still holds the entry: XACK is the fence, and whoever
-- took a job away has deleted its entry too.
-- KEYS  1 ready  2 alone  3 parked  4 delayed  5 moved  6 finished  7 completed  8 failures  9 ended  10 signals (both channels)
-- ARGV  1 group  2 how many completed jobs are kept  3 how many failed ones
--       then of each kind and lane: kind, lane, number n (at most 1000), n entries, and n times id and body
--       kind c completed, f failed: body is the record; passed on as it came, for that is most of the work here
--       kind d delayed: body is the delay in ms, LF, the envelope
-- returns now, then each entry that was refused
local refused, earliest = { now }, nil
local news = heard(KEYS[9]) and { ids = {}, bodies = {}, size = 0 }

-- Those of n outcomes whose entry is still there, laid out as they came, and how many. Deleting one tells, and does not
-- read it; the second outcome of one entry finds it gone.
local function held(lane, at, n)
  local list, bodies, count = {}, {}, 0
  for i = 0, n - 1 do
    local entry = ARGV[at + i]
    if redis.call('XDEL', KEYS[lane], entry) == 0 then
      refused[#refused + 1] = entry
    else
      count = count + 1
      list[count] = entry
      bodies[#bodies + 1] = ARGV[at + n + 2 * i]
      bodies[#bodies + 1] = ARGV[at + n + 2 * i + 1]
    end
  end
  for _, part in ipairs(bodies) do list[#list + 1] = part end
  return list, count
end

-- n delayed outcomes, whose ids and bodies lie in `list` from `at` on.
local function delay(list, at, n)
  local envelopes, dues = {}, {}
  for i = 0, 2 * n - 2, 2 do
    local id, due, envelope = list[at + i], cut(list[at + i + 1])
    envelopes[i + 1], envelopes[i + 2] = id, envelope
    dues[i + 1], dues[i + 2] = now + (tonumber(due) or 0), id -- an error here would undo nothing
  end
  local due = park(KEYS[3], KEYS[4], envelopes, dues)
  earliest = due and math.min(due, earliest or due) or earliest
end

-- n outcomes of one kind that lie in `list` from `at` on.
local function write(kind, lane, list, at, n)
  local ids, moved = {}, {}
  for i = 1, n do
    local id = list[at + n + 2 * i - 2]
    ids[i] = id
    if id ~= list[at + i - 1] then moved[#moved + 1] = id end
  end
  if kind == 'd' then
    delay(list, at + n, n)
  else
    local write_down, order, keep = finish, KEYS[7], tonumber(ARGV[2])
    if kind == 'f' then write_down, order, keep = bury, KEYS[8], tonumber(ARGV[3]) end
    write_down(KEYS[6], order, keep, ids, list, at + n, at + 3 * n - 1)
    if news then collect(news, list, at + n, at + 3 * n - 1) end
  end
  each('XDEL', KEYS[lane], list, at, at + n - 1)
  each('HDEL', KEYS[5], moved)
end

-- As `expect` does, without its price: most calls have one outcome or a few.
redis.call('HLEN', KEYS[5])
local at = 4
while at <= #ARGV do
  local kind, lane, n = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  if kind == 'd' then
    redis.call('HLEN', KEYS[3])
    redis.call('ZCARD', KEYS[4])
  else
    redis.call('HLEN', KEYS[6])
    redis.call(kind == 'c' and 'LLEN' or 'ZCARD', KEYS[kind == 'c' and 7 or 8])
  end
  if redis.call('XACK', KEYS[lane], ARGV[1], unpack(ARGV, at, at + n - 1)) == n then
    write(kind, lane, ARGV, at, n)
  else
    local list, left = held(lane, at, n)
    write(kind, lane, list, 1, left)
  end
  at = at + 3 * n
end

if news then signal_ended(KEYS[9], news) end
if earliest then signal_due(KEYS[10], earliest) end
return refused

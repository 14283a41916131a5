#!lua flags=allow-oom
-- Lines of groups are compared with the jobs that the gate holds there: how many, what the gate has to know of them, and
-- whether the group is to have its turn, or something that is closed keeps it. What is wrong is counted, and mended when
-- that is asked for.
-- keys: lanes parked delayed held unique signals gate
-- arguments:
--   mend        "1" to mend it
--   groups...   at most a hundred
-- returns how many were looked at: the others are for the next call; then how many lines were counted wrong, of how many the
--   gate did not know what it has to, and how many groups nobody would have called
-- parts: budget clock unseal lane_of opens_at leave_line turn_of task_line
-- expects: parked delayed held lines turns opens used out unique shut
local EXACT = 500 -- ids of a line that is looked through; a longer one is so when it has become shorter
local mends, seen, looked, bytes = args.mend == '1', 0, 0, 0
local counts, unknown, uncalled = 0, 0, 0

-- The lists of a group by their lanes, and how many ids are in all of them.
local function lists_of(group)
  local lists, total = {}, 0
  for number = 1, #keys.lanes do
    local name = keys.line .. number .. ':' .. group
    local length = redis.call('LLEN', name)
    if length > 0 then lists[number], total = name, total + length end
  end
  return lists, total
end

local function is_of(group, number, task, headers)
  local its = group_of(headers)
  if its then return its == group and lane_of(headers) == number end
  return (group == '*' or group == task_line(task)) and lane_of(headers) == number
end

-- How many jobs are held in these lists, of what tasks, and what the gate has to know; nil where they are too large.
local function look_through(group, lists)
  local met, held, knows, tasks = {}, 0, {}, {}
  for number, name in pairs(lists) do
    if number ~= lane.ready then knows.urgent = true end
    local ids, at, count = redis.call('LRANGE', name, 0, -1), 1, 1
    looked = looked + #ids
    while at <= #ids do
      local page = { unpack(ids, at, math.min(#ids, at + count - 1)) }
      for i, envelope in ipairs(redis.call('HMGET', keys.parked, unpack(page))) do
        local id = page[i]
        if envelope and not met[id] then
          bytes = bytes + #envelope
          local task, headers = unseal(envelope)
          if is_in_line(id, task, headers) then
            if is_of(group, number, task, headers) then
              met[id], held, tasks[task] = true, held + 1, true
              if redis.call('HEXISTS', keys.out, id) == 1 then knows.back = true end
            else
              knows.strays = true
            end
          end
        end
      end
      if bytes >= BUDGET and at + #page <= #ids then return nil end
      at, count = at + #page, math.min(2 * count, 100)
    end
  end
  return held, knows, tasks
end

local function compare_count(group, score, right)
  if right == score then return end
  counts = counts + 1
  if not mends then return end
  if right then redis.call('ZADD', keys.lines, right, group) else
    redis.call('ZREM', keys.lines, group)
    redis.call('ZREM', keys.shut, group)
  end
end

local function compare(group)
  local score = tonumber(redis.call('ZSCORE', keys.lines, group) or nil)
  local lists, total = lists_of(group)
  local held, knows, tasks
  if total <= EXACT then held, knows, tasks = look_through(group, lists) end
  if held then
    local is_star = string.byte(group) == 42 -- who has left such a line is counted until its turn has come
    compare_count(group, score, held > 0 and (is_star and total or held) or nil)
    if held == 0 then
      for _, name in pairs(lists) do if mends then redis.call('UNLINK', name) end end
      return
    end
  else
    local plausible = score and score >= 1 and score <= total and score == math.floor(score)
    compare_count(group, score, plausible and score or total)
    knows, tasks = { urgent = not lists[lane.ready] or next(lists, lane.ready) ~= nil or next(lists) ~= lane.ready }, {}
    for _, name in pairs(lists) do
      for _, id in ipairs(redis.call('LRANGE', name, 0, 15)) do
        knows.back = knows.back or redis.call('HEXISTS', keys.out, id) == 1
      end
    end
  end
  if string.find(group, ':', 1, true) then knows.parts = true end
  local is_wrong = false
  for name, is in pairs(knows) do
    if is and redis.call('HEXISTS', keys.gate, name) == 0 then
      is_wrong = true
      if mends then redis.call('HSET', keys.gate, name, 1) end
    end
  end
  if is_wrong then unknown = unknown + 1 end
  if not is_called(group, tasks, knows.back, mends) then uncalled = uncalled + 1 end
end

for at = first.groups, #ARGV do
  if looked >= 2 * EXACT or bytes >= BUDGET then break end
  seen = seen + 1
  compare(ARGV[at])
end
if mends and redis.call('EXISTS', keys.lines) == 0 and redis.call('EXISTS', keys.turns) == 1 then ring() end
return { seen, counts, unknown, uncalled }

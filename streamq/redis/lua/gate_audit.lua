#!lua flags=allow-oom
-- A page of the accounts of the gate is compared with the jobs, as they can be damaged from outside: slots of jobs that are
-- gone are given up, those that were let through have theirs, jobs that are held are in a line, and each line has its turn.
-- keys: lanes moved parked delayed held unique signals gate
-- arguments:
--   what     "out", "passed", "lines" or "parked"
--   cursor   where to go on; "0" to begin
--   limit    about how many to look at
--   repair   "1" to mend what is found
-- returns where to go on ("0" when done), how many were wrong, and the first of them
-- parts: clock unseal group_of leave_line read header_id lane_of budget
-- expects: lanes moved parked delayed held unique out used lines turns
local repair, limit, wrong, first = args.repair == '1', tonumber(args.limit), 0, {}
local EXACT = 1000 -- ids in the lines of a group up to which each is looked at: what is longer is counted by its length

local function note(what)
  wrong = wrong + 1
  if #first < 10 then first[#first + 1] = string.sub(what, 1, 200) end
end

local function is_past_gate(id)
  local number, entry = string.match(redis.call('HGET', keys.moved, id) or '', '^(%d+) (%S+)$')
  number = tonumber(number)
  if number ~= lane.passed and number ~= lane.alone then return false end
  return #redis.call('XRANGE', keys.lanes[number], entry, entry) > 0
end

local looks = {}

function looks.out()
  local found, gone = redis.call('HSCAN', keys.out, args.cursor, 'COUNT', limit), {}
  for i = 1, #found[2], 2 do
    local id = found[2][i]
    if redis.call('HEXISTS', keys.parked, id) == 0 and not is_past_gate(id) then
      gone[#gone + 1] = id
      note('slot of ' .. id)
    end
  end
  if repair and #gone > 0 then
    -- parts: leave_gate
    leave_gate(gone)
  end
  return found[1]
end

function looks.passed()
  local page = redis.call('XRANGE', keys.lanes[lane.passed], args.cursor == '0' and '-' or '(' .. args.cursor, '+', 'COUNT', limit)
  local bytes = 0
  for _, row in ipairs(page) do
    local task, payload, headers = read(keys.lanes[lane.passed], row[1])
    local id = id_of(headers or '') or row[1]
    bytes = bytes + #(payload or '')
    if task and redis.call('HEXISTS', keys.out, id) == 0 then
      note('job ' .. id .. ' has no slot')
      local group = group_of(headers) or redis.call('HEXISTS', keys.limits, 'task:' .. task) == 1 and task_line(task) or '*'
      if repair then
        -- parts: count_used tenant_of
        local tenant, part = tenant_of(group)
        local more = { queue = 1, ['task:' .. task] = 1, ['group:' .. tenant] = 1 }
        if part then more['group:' .. group] = 1 end
        redis.call('HSET', keys.out, id, group .. '\n' .. task)
        count_used(more)
      end
    end
    if bytes > BUDGET then return row[1] end
  end
  return #page < limit and '0' or page[#page][1]
end

-- The ids in the lines of a group, where these are few enough to be looked at.
local function ids_of(group)
  local ids, length = {}, 0
  for number = 1, #keys.lanes do length = length + redis.call('LLEN', keys.line .. number .. ':' .. group) end
  if length > EXACT then return nil, length end
  for number = 1, #keys.lanes do
    for _, id in ipairs(redis.call('LRANGE', keys.line .. number .. ':' .. group, 0, -1)) do ids[id] = number end
  end
  return ids, length
end

local function is_held_in(id, group)
  local envelope = redis.call('HGET', keys.parked, id)
  if not envelope then return false end
  local task, headers = unseal(envelope)
  if not is_in_line(id, task, headers) then return false end
  local own = group_of(headers)
  return own == group or not own and string.byte(group) == 42
end

function looks.lines()
  local found = redis.call('ZSCAN', keys.lines, args.cursor, 'COUNT', limit)
  local idle, looked = {}, 0
  for i = 1, #found[2], 2 do
    local group, count = found[2][i], tonumber(found[2][i + 1])
    local ids, length = ids_of(group)
    local held = length
    if ids and looked < EXACT then
      held, looked = 0, looked + length
      for id in pairs(ids) do held = held + (is_held_in(id, group) and 1 or 0) end
    elseif count > 0 and count <= length then
      held = count -- it may be right
    end
    if held ~= count then
      note('line of ' .. group .. ' has ' .. held .. ' jobs, not ' .. count)
      if repair and held > 0 then redis.call('ZADD', keys.lines, held, group) end
      if repair and held == 0 then
        redis.call('ZADD', keys.lines, 1, group)
        out_of_line(group)
      end
    end
    if held > 0 then idle[#idle + 1] = group end
  end
  if repair and #idle > 0 then -- who has no turn and is closed is found so at once
    -- parts: leave_gate
    turn_each(idle)
    ring()
  end
  return found[1]
end

function looks.parked()
  local found = redis.call('HSCAN', keys.parked, args.cursor, 'COUNT', limit)
  for i = 1, #found[2], 2 do
    local id, task, headers = found[2][i], unseal(found[2][i + 1])
    local group = group_of(headers)
    if group and is_in_line(id, task, headers) then
      local ids = ids_of(group)
      local is_lost = not redis.call('ZSCORE', keys.lines, group) or ids and not ids[id]
      if is_lost then
        note('job ' .. id .. ' of ' .. group .. ' is in no line')
        if repair then
          -- parts: line_up
          line_up(id, group, lane_of(headers), false)
        end
      end
    end
  end
  return found[1]
end

return { looks[args.what](), wrong, first }

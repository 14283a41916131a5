-- Jobs with a unique key: which job stands when one meets another.
-- parts: holder_of_key unseal seal rewritten own_headers wait signal_due hold group_of

-- Headers of a job that takes the place of another: its own, with the id and the due time that stand and one more change.
local function replacing(id, before, headers)
  local was = split(before)
  local due = own(was, 'due')
  return rewritten(split(headers), id, { version = true }, ',"version":' .. count_of(was, 'version') + 1,
    due and ',' .. string.sub(before, due.at, due.to))
end

-- A job takes the place of one that has not begun, under its id.
local function replace(id, number, entry, task, payload, headers)
  if number == true then
    -- parts: move_line
    local its_task, before = unseal(redis.call('HGET', keys.parked, id))
    local was, kept = is_in_line(id, its_task, before), replacing(id, before, headers)
    if its_task ~= task and redis.call('ZREM', keys.held, its_task .. '\n' .. id) == 1 then hold(task, id) end
    redis.call('HSET', keys.parked, id, seal(task, kept, payload))
    move_line(id, was, before, task, kept, payload)
    return
  end
  local its_task, _, before = read(keys.lanes[number], entry)
  if group_of(before) ~= group_of(headers) then -- it may have been let through, or was in a line before
    -- parts: move_line leave_gate
    redis.call('HSET', keys.gate, 'strays', 1)
    leave_gate({ id })
  end
  local kept = replacing(id, before, headers)
  redis.call('XDEL', keys.lanes[number], entry)
  wait(id, task, payload, kept, number == lane.alone and number or nil)
end

-- Put a delayed job off, but not past so many ms after its birth.
local function put_off(id, group)
  local due, longest = now + group.window, tonumber(group.longest)
  if longest then due = math.min(due, tonumber(string.match(id, '^%d+')) + longest) end
  local head = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
  redis.call('ZADD', keys.delayed, due, id)
  if not head[2] or due < tonumber(head[2]) then signal_due(due) end
end

-- A job is held until the others of its key have ended; the latest one takes the place of the one that was the latest.
local function follow(key, id, taken, rest, latest, task, payload, headers, due)
  local last = latest and string.match(rest, '(%S+)$')
  if last and redis.call('HEXISTS', keys.parked, last) == 1 then
    replace(last, true, nil, task, payload, headers)
    return last, 'replaced'
  end
  local new = parked_id()
  local kept = with_id(new, headers)
  if due then kept = string.sub(kept, 1, -2) .. ',"due":' .. string.format('%.0f', due) .. '}' end
  redis.call('HSET', keys.parked, new, seal(task, kept, payload))
  stand(key, id, taken, rest .. ' ' .. new)
  return new, 'following'
end

-- A job has a key that is noted as taken. Returns the id of the job that stands, and how it came to that unless it is new.
local function meet(group, key, task, payload, headers, due)
  local id, taken, rest, number, entry, holder = holder_of_key(key)
  if not id then return create_with_key(group, key, task, payload, headers, due) end
  if number == nil then return id, 'existing' end -- within its window, whatever became of it
  local active = holder and holder ~= ''
  if group.taken == 'debounce' then
    -- One that has the key until it is done keeps it: the last one follows.
    if active and taken == 'done' then return follow(key, id, taken, rest, true, task, payload, headers, due) end
    if active then return create_with_key(group, key, task, payload, headers, due, rest) end
    replace(id, number, entry, task, payload, headers)
    if number == true and redis.call('ZSCORE', keys.delayed, id) then put_off(id, group) end
    return id, 'replaced'
  end
  if group.conflict == 'queue' then return follow(key, id, taken, rest, false, task, payload, headers, due) end
  if group.conflict == 'keep' or active and group.conflict == 'replace' then return id, 'existing' end
  if active then return follow(key, id, taken, rest, true, task, payload, headers, due) end
  replace(id, number, entry, task, payload, headers)
  return id, 'replaced'
end

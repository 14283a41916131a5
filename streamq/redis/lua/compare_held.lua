#!lua flags=allow-oom
-- A page of the parked jobs is compared with what holds them: a pause of their task, the job that has their unique key, or
-- the gate.
-- One that nothing holds would be held for ever. It is told, and mended when that is asked for: it follows that job, is put
-- into the line of its group, or is looked at when pauses end, as if its task had been paused.
-- keys: lanes parked delayed moved unique held signals gate
-- arguments:
--   cursor    "0" to begin
--   limit     about how many
--   mend      "1" to mend it
-- returns the cursor of the next page ("0" at the end), then the ids
-- parts: clock budget unseal hold lane_of
-- expects: lanes moved unique delayed held lines turns out
local cursor, found = unpack(redis.call('HSCAN', keys.parked, args.cursor, 'COUNT', args.limit))
local said = { cursor }

-- parts: key_of holder_of_key group_of task_line line_up limits
local NEAR = 200 -- ids that are looked through from both ends of a line: in the midst of a longer one, it is taken to be

local function is_in_list(number, line, id)
  local list = keys.line .. number .. ':' .. line
  if redis.call('LPOS', list, id, 'MAXLEN', NEAR) or redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', NEAR) then return true end
  return redis.call('LLEN', list) > 2 * NEAR
end

-- Whether the gate knows of it: its line is counted, and it is in there.
local function is_lined_up(id, task, headers)
  local group, number = group_of(headers), lane_of(headers)
  for _, line in ipairs(group and { group } or { task_line(task), '*' }) do
    if redis.call('ZSCORE', keys.lines, line) and is_in_list(number, line, id) then return true end
  end
  return false
end

-- Who is in its list already is counted with all others of it: too many at most, until the line is looked through.
local function line_up_again(id, group, number)
  if not is_in_list(number, group, id) then line_up(id, group, number, false) end
  if not redis.call('ZSCORE', keys.lines, group) then
    for each_number = 1, #keys.lanes do
      redis.call('ZINCRBY', keys.lines, redis.call('LLEN', keys.line .. each_number .. ':' .. group), group)
    end
    take_turn(group)
    ring()
  end
end

local function is_held(id, task, headers)
  if redis.call('ZSCORE', keys.held, task .. '\n' .. id) then return true end
  local key = key_of(headers)
  local _, _, rest = standing_of(key or '')
  if key and rest and string.find(rest .. ' ', ' ' .. id .. ' ', 1, true) then return true end
  return is_lined_up(id, task, headers)
end

local function mend(id, task, headers)
  local key = key_of(headers)
  local holder, taken, rest, number = nil, nil, nil, nil
  if key then holder, taken, rest, number = holder_of_key(key) end
  if number and holder ~= id then
    stand(key, holder, taken, rest .. ' ' .. id)
  else
    if key and not holder then stand(key, id, 'done') end
    local group = group_of(headers) or limit_of('task:' .. task) and task_line(task) or limit_of('queue') and '*'
    if group then line_up_again(id, group, lane_of(headers)) else hold(task, id) end
  end
end

for i = 1, #found, 2 do
  local id = found[i]
  if not redis.call('ZSCORE', keys.delayed, id) then
    local task, headers = unseal(found[i + 1])
    if not is_held(id, task, headers) then
      said[#said + 1] = id
      if args.mend == '1' then mend(id, task, headers) end
    end
  end
end
return said

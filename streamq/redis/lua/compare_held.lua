#!lua flags=allow-oom
-- A page of the parked jobs is compared with what holds them: a pause of their task, the job that has their unique key, or
-- the gate.
-- One that nothing holds would be held for ever. It is told, and mended when that is asked for: it follows that job, or
-- is looked at when pauses end, as if its task had been paused.
-- keys: lanes parked delayed moved unique held signals gate
-- arguments:
--   cursor    "0" to begin
--   limit     about how many
--   mend      "1" to mend it
-- returns the cursor of the next page ("0" at the end), then the ids
-- parts: clock budget unseal hold
-- expects: lanes moved unique delayed held
local cursor, found = unpack(redis.call('HSCAN', keys.parked, args.cursor, 'COUNT', args.limit))
local said = { cursor }

-- parts: key_of holder_of_key group_of
local function is_held(id, task, headers)
  if redis.call('ZSCORE', keys.held, task .. '\n' .. id) then return true end
  local key = key_of(headers)
  local _, _, rest = standing_of(key or '')
  if key and rest and string.find(rest .. ' ', ' ' .. id .. ' ', 1, true) then return true end
  -- it waits for the gate where that knows of any of its line: long lines are not looked through
  local group = group_of(headers)
  return redis.call('ZSCORE', keys.lines, group or '*' .. task) or not group and redis.call('ZSCORE', keys.lines, '*')
end

local function mend(id, task, headers)
  local key = key_of(headers)
  local holder, taken, rest, number = nil, nil, nil, nil
  if key then holder, taken, rest, number = holder_of_key(key) end
  if number and holder ~= id then
    stand(key, holder, taken, rest .. ' ' .. id)
  else
    if key and not holder then stand(key, id, 'done') end
    hold(task, id)
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

#!lua flags=allow-oom
-- A page of the unique keys is compared with the jobs there are. What is wrong is told, and mended when that is asked for.
-- keys: lanes parked delayed moved unique windows signals gate
-- arguments:
--   cursor    "0" to begin
--   limit     about how many
--   mend      "1" to mend it
-- returns the cursor of the next page ("0" at the end), then what is wrong, key and id by threes: gone (the job that has
--   the key is not there), lost (one that should follow is not held), endless (a window that nobody would end), or
--   unreadable
-- parts: clock each
-- expects: lanes parked moved windows delayed
local cursor, found = unpack(redis.call('HSCAN', keys.unique, args.cursor, 'COUNT', args.limit))
local said, mends = { cursor }, args.mend == '1'

-- parts: holder_of_key
local function tell(what, key, id)
  local n = #said
  said[n + 1], said[n + 2], said[n + 3] = what, key, id
end

local function compare(key)
  local id, taken, rest = standing_of(key)
  if not id or tonumber(taken) == nil and taken ~= 'done' and taken ~= 'started' then
    tell('unreadable', key, '')
    if mends then redis.call('HDEL', keys.unique, key) end
    return
  end
  if tonumber(taken) then
    if redis.call('ZSCORE', keys.windows, key) then return end
    tell('endless', key, id)
    if mends then redis.call('ZADD', keys.windows, taken, key) end
    return
  end
  local kept = {}
  for following in string.gmatch(rest, '%S+') do
    if redis.call('HEXISTS', keys.parked, following) == 1 then
      kept[#kept + 1] = ' ' .. following
    else
      tell('lost', key, following)
    end
  end
  if mends then stand(key, id, taken, table.concat(kept)) end
  if not living(id) then
    tell('gone', key, id)
    if mends then leave_key(key, id) end
  end
end

for i = 1, #found, 2 do
  if redis.call('HEXISTS', keys.unique, found[i]) == 1 then compare(found[i]) end
end
return said

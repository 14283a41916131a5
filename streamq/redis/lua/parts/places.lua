-- Where a job lies, for the scripts that are asked for it by its id.
-- parts: ids read header_id

-- Lane and entry that `moved` tells of a job; nothing where somebody wrote something else there.
local function place(told)
  if not told then return nil end
  local lane, entry = string.match(told, '^([1-9]%d?) (%d+%-%d+)$')
  lane = tonumber(lane)
  if lane and lane <= #keys.lanes and is_id(entry) then return lane, entry end
end

-- Lane, entry, task, payload and headers of the entry in which the job lies; nothing when it lies in none. An entry is
-- the job's only if that is the id it has: the entry of a job that was born elsewhere is itself no job's id.
local function entry_of(id)
  if not is_id(id) then return nil end
  local lane, entry = place(redis.call('HGET', keys.moved, id))
  if lane then
    local task, payload, headers = read(keys.lanes[lane], entry)
    if task and (id_of(headers) or entry) == id then return lane, entry, task, payload, headers end
  end
  for _, lane in ipairs(lane.births) do
    local task, payload, headers = read(keys.lanes[lane], id)
    if task and (id_of(headers) or id) == id then return lane, id, task, payload, headers end
  end
end

-- Who has the entry and for how many milliseconds; '' and 0 while it waits.
local function holder_of(lane, entry)
  local pending = redis.pcall('XPENDING', keys.lanes[lane], GROUP, entry, entry, 1)
  local row = not pending.err and pending[1]
  return row and row[2] or '', row and row[3] or 0
end

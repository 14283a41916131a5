-- Who has a unique key now.
-- parts: standing places leave_key

-- Where a job is that has not ended: its lane, entry and holder, or true where it is parked; nil when it has ended.
local function living(id)
  local number, entry = entry_of(id)
  if number then return number, entry, (holder_of(number, entry)) end
  if redis.call('HEXISTS', keys.parked, id) == 1 then return true end
end

-- The id of the job, until what it has the key, who follows, and where the job is: nil within a window, which counts
-- whatever becomes of its job. Nothing when the key is free. A key whose job is gone, by whatever way, is left here, so
-- that who follows it is not forgotten.
local function holder_of_key(key)
  while true do
    local id, taken, rest = standing_of(key)
    if not id then return nil end
    local ends = tonumber(taken)
    if ends then
      if ends > now then return id, taken, rest end
      return nil
    end
    local number, entry, holder = living(id)
    if number then return id, taken, rest, number, entry, holder end
    leave_key(key, id)
  end
end

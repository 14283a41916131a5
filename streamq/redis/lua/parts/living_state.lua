-- The state of a job that has not ended; nil when it has.
-- parts: places
local function living_state(id)
  local number, entry = entry_of(id)
  if number then return holder_of(number, entry) == '' and 'waiting' or 'active' end
  if is_id(id) and redis.call('HEXISTS', keys.parked, id) == 1 then
    return redis.call('ZSCORE', keys.delayed, id) and 'delayed' or 'held'
  end
end

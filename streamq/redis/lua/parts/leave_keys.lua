-- Jobs give their unique keys up, as `leave_key` has it for one: at most 1,000. Most have no follower, so the keys are
-- looked at and freed all at once.
local function leave_keys(named, ids)
  if #named == 0 then return end
  local free = {}
  for i, standing in ipairs(redis.call('HMGET', keys.unique, unpack(named))) do
    if standing == ids[i] .. ' done' or standing == ids[i] .. ' started' then
      free[#free + 1] = named[i]
    elseif standing then
      -- parts: leave_key
      leave_key(named[i], ids[i])
    end
  end
  if #free > 0 then redis.call('HDEL', keys.unique, unpack(free)) end
end

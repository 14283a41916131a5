-- The last entry of a lane that was delivered: those behind it wait. "0-0" where none was, or no lane is there.
local function last_delivered(number)
  local groups = redis.pcall('XINFO', 'GROUPS', keys.lanes[number])
  for _, group in ipairs(groups.err and {} or groups) do
    local at = {}
    for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
    if at.name == GROUP then return at['last-delivered-id'] end
  end
  return '0-0'
end

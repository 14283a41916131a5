-- Which entries of a lane wait: those behind the last one that was delivered.

local function comes_before(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)%-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)%-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_sequence) < tonumber(b_sequence)
end

-- The last entry of a lane that was delivered; "0-0" where none was.
local function last_delivered(number)
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', keys.lanes[number])) do
    local at = {}
    for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
    if at.name == GROUP then return at['last-delivered-id'] end
  end
  return '0-0'
end

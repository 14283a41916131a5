-- The lane in which a job was born, which its id says; nil when it was born parked, or nowhere.
local function born_in(id)
  local number = tonumber(string.match(id, '%-(%d+)$'))
  local birth = number and math.floor(number / lane.births)
  if birth == 0 then return lane.ready end
  return birth and birth > lane.always and birth <= #keys.lanes and birth or nil
end

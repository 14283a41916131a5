-- The lane of a job, by the priority that its headers say.
-- parts: own_headers
local function lane_of(headers)
  if not string.find(headers, '"priority"', 1, true) then return lane.ready end -- as in nearly all
  local member = own(split(headers), 'priority')
  return member and lane.of[string.sub(headers, member.from + 1, member.to - 1)] or lane.ready
end

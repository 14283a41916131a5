-- Add an entry to a lane by its number, which is made where it is not there yet.
-- parts: add open_lane
local function add_to(number, task, payload, headers)
  open_lane(number)
  return add(keys.lanes[number], task, payload, headers)
end

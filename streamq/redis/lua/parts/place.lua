-- Lane and entry that `moved` tells of a job; nothing where somebody wrote something else there.
-- parts: ids
local function place(told)
  if not told then return nil end
  local lane, entry = string.match(told, '^([1-9]%d?) (%d+%-%d+)$')
  lane = tonumber(lane)
  if lane and lane <= #keys.lanes and is_id(entry) then return lane, entry end
end

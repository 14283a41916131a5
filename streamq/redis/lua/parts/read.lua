-- The one reader of entries: task, payload and headers, or nil when it is gone.
-- parts: parse
local function read(lane, entry)
  local found = redis.call('XRANGE', lane, entry, entry)
  if #found == 0 then return nil end
  return parse(found[1][2])
end

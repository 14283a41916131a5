-- The one reader of due times: milliseconds from now, or `@` and milliseconds since the epoch.
-- parts: clock
local function due_at(text)
  local at = string.match(text or '', '^@(%d+)$') -- an error here would undo nothing of what the script has written
  return at and tonumber(at) or now + (tonumber(text) or 0)
end

-- The one reader of due times: milliseconds from now, or `@` and milliseconds since the epoch.
-- parts: clock
local function due_at(text)
  if string.byte(text) == 64 then return tonumber(string.sub(text, 2)) or now end
  return now + (tonumber(text) or 0) -- an error here would undo nothing
end

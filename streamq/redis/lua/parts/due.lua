-- The one reader of due times: milliseconds from now, or `@` and milliseconds since the epoch.
-- parts: clock
local function due_at(text)
  if text and string.byte(text) == 64 then return tonumber(string.sub(text, 2)) or now end
  return now + (tonumber(text) or 0) -- no error for what is no number: it would undo nothing of what is written already
end

-- A pause as it is kept: when it ends, in ms since the epoch, and what is known of it. Returns that, and the end.
-- parts: clock due
local FOREVER = 9007199254740991
local function pause_text(reason, by, due)
  local ends = due == '' and FOREVER or math.floor(due_at(due))
  local pause = cjson.encode({ reason = reason, by = by, since_ms = now, until_ms = ends < FOREVER and ends or nil })
  return string.format('%.0f', ends) .. ' ' .. pause, ends
end

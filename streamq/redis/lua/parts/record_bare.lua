-- A record without its payload, the last of its lines.
local function without_payload(record)
  local at = 0
  for _ = 1, 4 do at = at and string.find(record, '\n', at + 1, true) end
  return at and string.sub(record, 1, at) or record
end

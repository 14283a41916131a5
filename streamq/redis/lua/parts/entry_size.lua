-- The bytes of an entry, as the server gives it.
local function size_of(entry)
  local bytes = 16 -- its id
  for _, part in ipairs(entry[2]) do bytes = bytes + #part end
  return bytes
end

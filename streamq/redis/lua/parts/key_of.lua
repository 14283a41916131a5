-- The unique key that headers say; nil where they say none.
-- parts: own_headers
local function key_of(headers)
  if not string.find(headers, '"key"', 1, true) then return nil end -- as in nearly all
  local list = split(headers)
  local member = own(list, 'key')
  if not member then return nil end
  local read, value = pcall(cjson.decode, '[' .. string.sub(headers, member.from, member.to) .. ']')
  return read and type(value[1]) == 'string' and value[1] or nil
end

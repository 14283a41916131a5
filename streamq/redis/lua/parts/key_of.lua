-- The unique key among a job's headers; nil where it has none.
-- parts: own_headers
local function key_of(headers)
  if not string.find(headers, '"key"', 1, true) then return nil end -- as in nearly all
  local member = own(split(headers), 'key')
  local read, list = pcall(cjson.decode, member and '[' .. string.sub(headers, member.from, member.to) .. ']' or '')
  return read and type(list[1]) == 'string' and list[1] or nil
end

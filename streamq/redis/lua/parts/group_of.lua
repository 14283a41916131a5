-- The group that headers say; nil for none, and for what is no name of one. (`streamq/model/group.py` has the form.)
-- parts: own_headers
local function group_of(headers)
  if not string.find(headers, '"group"', 1, true) then return nil end -- as in most
  local member = own(split(headers), 'group')
  return member and string.match(string.sub(headers, member.from, member.to), '^"([^%c" \\:]+:?[^%c" \\:]*)"$')
end

-- The group that headers say; nil for none, and for what is no name of one. (`streamq/model/group.py` has the form.)
local function group_of(headers)
  if not string.find(headers, '"group"', 1, true) then return nil end -- as in most
  local said = string.match(headers, '^{"group":"([^%c" \\]+)"}$')
    or string.match(headers, '^{"id":"[%d%-]+","group":"([^%c" \\]+)"}$') -- nothing else, as in nearly all of these
  if not said then
    -- parts: own_headers
    local member = own(split(headers), 'group')
    said = member and string.match(string.sub(headers, member.from, member.to), '^"([^%c" \\]+)"$')
  end
  local colon = said and string.find(said, ':', 1, true)
  if not said or colon and (colon == 1 or colon == #said or string.find(said, ':', colon + 1, true)) then return nil end
  return said
end

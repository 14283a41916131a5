-- Our own members among headers that were split.
-- parts: headers

local COUNT = '^%d%d?%d?%d?%d?%d?%d?%d?%d?$'

-- Our own member of that name, the last where there are several.
local function own(list, name)
  for i = #list, 1, -1 do
    if list[i].name == name then return list[i] end
  end
end

-- A count among our own members; 0 when it is absent.
local function count_of(list, name)
  local member = own(list, name)
  local value = member and string.sub(list.headers, member.from, member.to) or ''
  return string.find(value, COUNT) and (value == '0' or string.byte(value) ~= 48) and tonumber(value) or 0
end

local WHITE = { [9] = true, [10] = true, [13] = true, [32] = true }

-- The list of objects in our member `history`, without its brackets; nil when it is empty or something else.
local function history_of(list)
  local member, headers = own(list, 'history'), list.headers
  local from = member and string.match(headers, '^%[[ \t\r\n]*(){', member.from)
  if not from then return nil end
  local to = member.to - 1
  while WHITE[string.byte(headers, to)] do to = to - 1 end
  return string.byte(headers, to) == 125 and string.sub(headers, from, to) or nil
end

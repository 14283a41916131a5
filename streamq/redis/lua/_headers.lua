-- Headers as text, for the scripts that write them. `envelope.py` reads them by the same rules.
--
-- An object is split into its top-level members, each left as the text it came as. Only our own members are understood,
-- by strict patterns; one that does not fit counts as absent, and of two with one name the last counts. What somebody
-- else wrote is passed on byte for byte. Text that is no object counts as empty. The id is the exception: it
-- counts as the first member only, in the one form that we write, so that a look at the first bytes finds it.

local CLOSER = { ['['] = ']', ['{'] = '}' }
local COUNT = '^%d%d?%d?%d?%d?%d?%d?%d?%d?$'

-- Where the string that begins at `at` ends: at the first quote with an even number of backslashes before it.
local function string_end(text, at)
  local back
  repeat
    at = string.find(text, '"', at + 1, true)
    if not at then return nil end
    back = at
    while string.byte(text, back - 1) == 92 do back = back - 1 end
  until (at - back) % 2 == 0
  return at
end

local function nested_end(text, at)
  local closers, depth = {}, 0
  repeat
    at = string.find(text, '["%[%]{}]', at)
    if not at then return nil end
    local mark = string.sub(text, at, at)
    if mark == '"' then
      at = string_end(text, at)
      if not at then return nil end
    elseif CLOSER[mark] then
      depth = depth + 1
      closers[depth] = CLOSER[mark]
    elseif mark == closers[depth] then
      depth = depth - 1
    else
      return nil
    end
    at = at + 1
  until depth == 0
  return at - 1
end

local function value_end(text, at)
  local mark = string.sub(text, at, at)
  if mark == '"' then return string_end(text, at) end
  if CLOSER[mark] then return nested_end(text, at) end
  return select(2, string.find(text, '^[^%[%]{}",: \t\r\n]+', at))
end

-- The top-level members in `headers`: the name of each, and where it begins, its value begins, and both end. None when
-- the text is no object. (Positions, as a value may be large and is mostly not looked at.)
local function split(headers)
  local list = { headers = headers }
  local at = headers ~= '' and string.match(headers, '^[ \t\r\n]*{[ \t\r\n]*()')
  if not at or string.find(headers, '^}[ \t\r\n]*$', at) then return list end
  local mark
  repeat
    local quote = string.byte(headers, at) == 34 and string_end(headers, at)
    local from = quote and string.match(headers, '^[ \t\r\n]*:[ \t\r\n]*()', quote + 1)
    local to = from and value_end(headers, from)
    if not to then return { headers = headers } end
    list[#list + 1] = { name = string.sub(headers, at + 1, quote - 1), at = at, from = from, to = to }
    mark, at = string.match(headers, '^[ \t\r\n]*([,}])[ \t\r\n]*()', to + 1)
  until mark ~= ','
  return mark and at == #headers + 1 and list or { headers = headers }
end

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

local function id_of(headers)
  local id = string.match(headers, '^{"id":"(%d+%-%d+)"[,}]')
  return id and is_id(id) and id or nil
end

-- Headers that begin with this id, then the members but those that `drop` names, then three texts of our own. These are
-- joined here, as each copy of a large one costs a millisecond.
local function rewritten(list, id, drop, before, large, after)
  local kept = {}
  for _, member in ipairs(list) do
    if member.name ~= 'id' and not drop[member.name] then
      kept[#kept + 1] = ',' .. string.sub(list.headers, member.at, member.to)
    end
  end
  return '{"id":"' .. id .. '"' .. table.concat(kept) .. (before or '') .. (large or '') .. (after or '') .. '}'
end

-- Headers with the job's id in them, and the id: a job that leaves its birthplace carries its id along.
local function named(headers, birthplace)
  local id = id_of(headers)
  if id then return headers, id end
  return rewritten(split(headers), birthplace, {}), birthplace
end

-- The same for a job whose id is known by where it lay, whatever its headers say. Where that is no id, theirs counts.
local function renamed(headers, id)
  local valid = is_id(id)
  if valid and string.find(headers, id, 8, true) == 8 and string.find(headers, '^{"id":"') and string.find(headers, '^"[,}]', 8 + #id) then
    return headers, id -- as nearly all are: no text is cut out
  end
  if not valid then return headers, id_of(headers) end
  return rewritten(split(headers), id, {}), id
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

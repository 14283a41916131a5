-- The reader of headers. `streamq/model/headers.py` reads them by the same rules.
--
-- An object is split into its top-level members, each left as the text it came as. Only our own members are understood,
-- by strict patterns; one that does not fit is treated as absent, and of two with one name the last counts. What
-- somebody else wrote is passed on byte for byte. Text that is no object is treated as empty. The id is the exception:
-- it counts as the first member only, in the one form that we write, so that a look at the first bytes finds it.

local CLOSER = { ['['] = ']', ['{'] = '}' }

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

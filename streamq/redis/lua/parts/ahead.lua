-- How many entries of a lane wait, and how many of them are before one: exactly where its place is near one of both ends,
-- else reckoned from the times between.
-- parts: entry_size pages delivered

-- Entries that are counted from each end: some tenths of a millisecond of the server's time.
local COUNTED = 500

-- How many entries there are between two ids, as far as the bounds of a call let them be read: the number, whether these
-- are all, and the id of the last.
local function between(command, stream, from, to)
  local count, bytes, page, last = 0, 0, 10, from
  while count < COUNTED and bytes < BUDGET do
    local found = redis.call(command, stream, last, to, 'COUNT', page)
    for _, entry in ipairs(found) do bytes = bytes + size_of(entry) end
    count = count + #found
    if #found < page then return count, true, last end
    last = '(' .. found[#found][1]
    page = math.min(next_count(page, count, bytes), COUNTED)
  end
  return count, false, last
end

local function ms_of(place)
  return tonumber(string.match(place, '%d+'))
end

-- Of those that wait there, how many are before the entry; and 1 where that is exact, else 0.
local function ahead_of(number, entry, waiting)
  local stream = keys.lanes[number]
  local before, all, left = between('XRANGE', stream, '(' .. last_delivered(number), '(' .. entry)
  if all then return before, 1 end
  local after, rest, right = between('XREVRANGE', stream, '+', '(' .. entry)
  if rest then return math.max(before, waiting - after - 1), 1 end
  local from, to = ms_of(left), ms_of(right)
  local part = to > from and (ms_of(entry) - from) / (to - from) or 0.5
  return before + math.floor(math.max(0, waiting - before - after - 1) * part), 0
end

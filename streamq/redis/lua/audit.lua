#!lua flags=allow-oom
-- The delivery index is compared with the stream. An entry leaves its stream when it is acknowledged, so each one up to
-- the group's last delivered id must be pending: one that is not is held by nobody (a consumer was deleted from
-- outside), and waits again. And each pending one must be there: one that is not (it was deleted from outside) is
-- acknowledged, as there is nothing left to run. Both lists are walked side by side, each page as far as the shorter
-- one reaches: what only one of them covers is judged by the next call.
-- KEYS  1 lane  2 moved
-- ARGV  1 group  2 number of the lane  3 entry to go on after ("" to begin)  4 at most how many to look at
-- returns how many were held by nobody, how many were not there, the entry to go on after ("" when done)
expect('HLEN', KEYS[2])
local last
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local at = {}
  for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
  if at.name == ARGV[1] then last = at['last-delivered-id'] end
end
if not last then return { 0, 0, '' } end

local room, from = tonumber(ARGV[4]), ARGV[3] == '' and '-' or '(' .. ARGV[3]

-- Entries from `from` on, and whether these are all. First one and then twice as many, up to the budget of bytes.
local function entries()
  local found, bytes, start, count = {}, 0, from, 1
  while #found < room and bytes < BUDGET do
    local wanted = math.min(count, room - #found)
    local page = redis.call('XRANGE', KEYS[1], start, last, 'COUNT', wanted)
    for _, entry in ipairs(page) do
      found[#found + 1] = entry
      bytes = bytes + size_of(entry)
    end
    if #page < wanted then return found, true end
    start = '(' .. page[#page][1]
    count = next_count(count, #found, bytes)
  end
  return found, false
end

local function comes_before(a, b)
  local a_ms, a_sequence = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_sequence = string.match(b, '(%d+)-(%d+)')
  if a_ms == b_ms then a_ms, b_ms = a_sequence, b_sequence end
  return #a_ms < #b_ms or #a_ms == #b_ms and a_ms < b_ms
end

local function readd(entry)
  local task, payload, headers = parse(entry[2])
  local kept, id = named(headers, entry[1])
  redis.call('HSET', KEYS[2], id, ARGV[2] .. ' ' .. add(KEYS[1], task, payload, kept))
  redis.call('XDEL', KEYS[1], entry[1])
end

local there, all_there = entries()
local held = redis.call('XPENDING', KEYS[1], ARGV[1], from, last, room)
local all_held = #held < room
local stranded, ghosts, upto, i, j = 0, 0, '', 1, 1
while i <= #there or j <= #held do
  local entry, pending = there[i] and there[i][1], held[j] and held[j][1]
  if entry == pending then
    i, j, upto = i + 1, j + 1, entry
  elseif entry and (not pending and all_held or pending and comes_before(entry, pending)) then
    readd(there[i])
    stranded, i, upto = stranded + 1, i + 1, entry
  elseif pending and (not entry and all_there or entry and comes_before(pending, entry)) then
    redis.call('XACK', KEYS[1], ARGV[1], pending)
    ghosts, j, upto = ghosts + 1, j + 1, pending
  else
    return { stranded, ghosts, upto }
  end
end
return { stranded, ghosts, all_there and all_held and '' or upto }

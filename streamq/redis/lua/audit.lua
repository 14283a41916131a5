#!lua flags=allow-oom
-- The delivery index is compared with the stream. An entry leaves its stream when it is acknowledged, so each one up to
-- the id that was delivered last when the audit began must be pending. (To what is delivered meanwhile an audit of a busy
-- queue would never catch up.) One that is not is stranded (its consumer was deleted from outside), and
-- waits again. And each pending one must be there: one that is not was deleted from outside, and is acknowledged, as
-- there is nothing left to run. Both lists are walked side by side, each page as far as the shorter one reaches: what
-- only one of them covers is judged by the next call. A stranded one whose end was asked for ends.
-- keys: lanes moved parked delayed finished cancelled cancels retention unique ended signals gate
-- arguments:
--   lane     its number
--   after    entry to go on after ("" to begin)
--   last     entry to end with ("" to begin)
--   limit    at most how many to look at
--   keep_failed   how many cancelled jobs are kept
-- returns how many were stranded, how many were not there, the entry to go on after ("" when done), the one to end with
-- parts: parse named wait pages entry_size made delivered comes_before
-- expects: cancels moved delayed
local lane, last = tonumber(args.lane), args.last
if not is_made(lane) then return { 0, 0, '', '' } end
if last == '' then last = last_delivered(lane) end
if last == '0-0' then return { 0, 0, '', '' } end

local room, from = tonumber(args.limit), args.after == '' and '-' or '(' .. args.after

-- Entries from `from` on, and whether these are all. First one and then twice as many, up to the budget of bytes.
local function entries()
  local found, bytes, start, count = {}, 0, from, 1
  while #found < room and bytes < BUDGET do
    local wanted = math.min(count, room - #found)
    local page = redis.call('XRANGE', keys.lanes[lane], start, last, 'COUNT', wanted)
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

local function readd(entry)
  local task, payload, headers = parse(entry[2])
  local kept, id = named(headers, entry[1])
  local told = redis.call('HGET', keys.cancels, id)
  if told then
    -- parts: cancelled heard signal_ended
    local its = {}
    cancel(its, id, '', task, kept, payload, told)
    bury_cancelled(its)
    if redis.call('EXISTS', keys.out) == 1 then
      -- parts: leave_gate
      leave_gate({ id })
    end
    if heard() then signal_ended({ its, 1, 2 }) end
  else
    wait(id, task, payload, kept, lane, true)
  end
  redis.call('XDEL', keys.lanes[lane], entry[1])
end

local there, all_there = entries()
local index = redis.call('XPENDING', keys.lanes[lane], GROUP, from, last, room)
local all_pending = #index < room
local stranded, ghosts, upto, i, j = 0, 0, '', 1, 1
while i <= #there or j <= #index do
  local entry, pending = there[i] and there[i][1], index[j] and index[j][1]
  if entry == pending then
    i, j, upto = i + 1, j + 1, entry
  elseif entry and (not pending and all_pending or pending and comes_before(entry, pending)) then
    readd(there[i])
    stranded, i, upto = stranded + 1, i + 1, entry
  elseif pending and (not entry and all_there or entry and comes_before(pending, entry)) then
    redis.call('XACK', keys.lanes[lane], GROUP, pending)
    ghosts, j, upto = ghosts + 1, j + 1, pending
  else
    return { stranded, ghosts, upto, last }
  end
end
return { stranded, ghosts, all_there and all_pending and '' or upto, last }

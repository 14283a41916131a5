#!lua
-- New jobs: waiting, or delayed when they have a due time. A repeated batch is answered, not added.
-- KEYS  1 ready  2 parked  3 delayed  4 producer  5 signals (a channel)
-- ARGV  1 number of the batch  2 ms the producer's record is kept  3 how many are waiting
--       4 number in the id of the first delayed one; the next have the next
--       then task, payload, headers of each waiting one
--       then task, payload, headers, due ("+ms" from now or "=ms" since the epoch) of each delayed one
-- returns the ids in that order, separated by spaces; "ID+n" stands for ID and the n that follow it, one by one
local answered = redis.call('GET', KEYS[4])
if answered then
  local last, ids = string.match(answered, '^(%d+) (.*)$')
  if last and last == ARGV[1] then
    redis.call('PEXPIRE', KEYS[4], ARGV[2]) -- a write, so that WAIT and WAITAOF on a new connection wait for this batch
    return ids
  end
  if last and tonumber(last) > tonumber(ARGV[1]) then
    return redis.error_reply('STALE batch ' .. ARGV[1] .. ' comes after batch ' .. last)
  end
end

local waiting, delayed_from = tonumber(ARGV[3]), 5 + 3 * ARGV[3]
local delayed = (#ARGV - delayed_from + 1) / 4
if delayed > 0 then -- a key of another type raises before anything is added: a refused batch is refused whole
  expect('HLEN', KEYS[2])
  expect('ZCARD', KEYS[3])
end

local ids, runs = {}, {}
for i = 5, delayed_from - 1, 3 do
  ids[#ids + 1] = add(KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
end

-- A stream numbers what it gets within a millisecond, so all between two ids of one millisecond follow each other.
local function note_runs(from, to)
  if string.match(ids[from], '^%d+') == string.match(ids[to], '^%d+') then
    runs[#runs + 1] = from == to and ids[from] or ids[from] .. '+' .. (to - from)
  else
    local middle = math.floor((from + to) / 2)
    note_runs(from, middle)
    note_runs(middle + 1, to)
  end
end
if waiting == 1 then runs[1] = ids[1] elseif waiting > 1 then note_runs(1, waiting) end

if delayed > 0 then
  local envelopes, dues = {}, {}
  for n = 0, delayed - 1 do
    local i = delayed_from + 4 * n
    local due = tonumber(string.sub(ARGV[i + 3], 2))
    if string.sub(ARGV[i + 3], 1, 1) == '+' then due = now + due end
    local id = string.format('%.0f-%.0f', now, ARGV[4] + n)
    local headers = ARGV[i + 2] == '' and '}' or ',' .. string.sub(ARGV[i + 2], 2) -- we wrote them, and without an id
    envelopes[2 * n + 1], envelopes[2 * n + 2] = id, seal(ARGV[i], '{"id":"' .. id .. '"' .. headers, ARGV[i + 1])
    dues[2 * n + 1], dues[2 * n + 2] = due, id
  end
  runs[#runs + 1] = string.format('%.0f-%.0f', now, ARGV[4]) .. (delayed > 1 and '+' .. (delayed - 1) or '')
  local earliest = park(KEYS[2], KEYS[3], envelopes, dues)
  if earliest then signal_due(KEYS[5], earliest) end
end

local reply = table.concat(runs, ' ')
redis.call('SET', KEYS[4], ARGV[1] .. ' ' .. reply, 'PX', ARGV[2])
return reply

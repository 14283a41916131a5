#!lua
-- New jobs: waiting, or delayed when they have a due time. A repeated batch is answered, not added.
-- KEYS  1 ready  2 parked  3 delayed  4 producer  5 signals (a channel)
-- ARGV  1 number of the batch  2 ms the producer's record is kept  3 how many are waiting
--       then task, payload, headers of each waiting one
--       then task, payload, headers, due ("+ms" from now or "=ms" since the epoch), suffix of the id of each delayed one
-- returns the ids in that order, separated by spaces
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

local ids, delayed_from = {}, 4 + 3 * ARGV[3]
if delayed_from < #ARGV then
  expect('HLEN', KEYS[2])
  expect('ZCARD', KEYS[3])
end
for i = 4, delayed_from - 1, 3 do
  ids[#ids + 1] = add(KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
end

local envelopes, dues = {}, {}
for i = delayed_from, #ARGV, 5 do
  local due = tonumber(string.sub(ARGV[i + 3], 2))
  if string.sub(ARGV[i + 3], 1, 1) == '+' then due = now + due end
  local id = now .. '-' .. ARGV[i + 4]
  local headers = ARGV[i + 2] == '' and '}' or ',' .. string.sub(ARGV[i + 2], 2) -- we wrote them, and without an id
  local envelope = seal(ARGV[i], '{"id":"' .. id .. '"' .. headers, ARGV[i + 1])
  local at = #dues
  envelopes[at + 1], envelopes[at + 2] = id, envelope
  dues[at + 1], dues[at + 2] = due, id
  ids[#ids + 1] = id
end
local earliest = park(KEYS[2], KEYS[3], envelopes, dues)
if earliest then signal_due(KEYS[5], earliest) end

local reply = table.concat(ids, ' ')
redis.call('SET', KEYS[4], ARGV[1] .. ' ' .. reply, 'PX', ARGV[2])
return reply

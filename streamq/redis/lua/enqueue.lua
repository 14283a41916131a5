#!lua
-- New jobs: waiting, or delayed when they have a due time. A batch that comes again is answered, not added.
-- keys: ready parked delayed producer signals
-- arguments:
--   batch         its number
--   remembered    ms the producer's record is kept
--   waiting       how many jobs are waiting
--   sequence      number in the id of the first delayed one; the next have the next
--   jobs...       task, payload and headers of each waiting one; then task, payload, headers and due time of each delayed one
-- returns the ids in that order, separated by spaces; "ID+n" stands for ID and the n that follow it, one by one

-- parts: add
-- A lone job, as most are, is added before the producer's record is looked at: to write the record tells what it was.
-- A batch that came again, or came too late, takes its job back, and is answered below.
if args.waiting == '1' and #ARGV == first.jobs + 2 then
  local id = add(keys.ready, ARGV[first.jobs], ARGV[first.jobs + 1], ARGV[first.jobs + 2])
  local before = redis.pcall('SET', keys.producer, args.batch .. ' ' .. id, 'PX', args.remembered, 'GET')
  if not before then return id end
  if type(before) == 'table' then -- an error: the key is of another type, or not to be written
    redis.call('XDEL', keys.ready, id)
    return before
  end
  local last = string.match(before, '^(%d+) ')
  if not last or tonumber(last) < tonumber(args.batch) then return id end
  redis.call('XDEL', keys.ready, id)
  redis.call('SET', keys.producer, before, 'PX', args.remembered)
end

-- What the producer's last batch was answered.
local answered = redis.call('GET', keys.producer)
if answered then
  local last, ids = string.match(answered, '^(%d+) (.*)$')
  if last and last == args.batch then
    redis.call('PEXPIRE', keys.producer, args.remembered) -- a write, so that WAIT and WAITAOF on a new connection wait for this batch
    return ids
  end
  if last and tonumber(last) > tonumber(args.batch) then
    return redis.error_reply('STALE batch ' .. args.batch .. ' comes after batch ' .. last)
  end
end

local waiting, delayed_from = tonumber(args.waiting), first.jobs + 3 * args.waiting
local delayed = (#ARGV - delayed_from + 1) / 4
if delayed > 0 then -- a refused batch is refused whole
  -- expects: parked delayed
end

local ids, runs = {}, {}
for i = first.jobs, delayed_from - 1, 3 do
  ids[#ids + 1] = add(keys.ready, ARGV[i], ARGV[i + 1], ARGV[i + 2])
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
if waiting > 0 then note_runs(1, waiting) end

if delayed > 0 then
  -- parts: clock due seal park signal_due
  local envelopes, dues = {}, {}
  for n = 0, delayed - 1 do
    local i = delayed_from + 4 * n
    local id = string.format('%.0f-%.0f', now, args.sequence + n)
    local headers = ARGV[i + 2] == '' and '}' or ',' .. string.sub(ARGV[i + 2], 2) -- we wrote them, and without an id
    envelopes[2 * n + 1], envelopes[2 * n + 2] = id, seal(ARGV[i], '{"id":"' .. id .. '"' .. headers, ARGV[i + 1])
    dues[2 * n + 1], dues[2 * n + 2] = due_at(ARGV[i + 3]), id
  end
  runs[#runs + 1] = string.format('%.0f-%.0f', now, args.sequence) .. (delayed > 1 and '+' .. (delayed - 1) or '')
  local earliest = park(dues, envelopes)
  if earliest then signal_due(earliest) end
end

local reply = table.concat(runs, ' ')
redis.call('SET', keys.producer, args.batch .. ' ' .. reply, 'PX', args.remembered)
return reply

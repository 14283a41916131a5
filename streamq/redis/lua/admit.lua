#!lua
-- New jobs of which more must be decided than enqueue.lua does: their lane, their unique key, the bounds of the queue and
-- the pause of their task. A batch that comes again is answered, not added.
-- keys: lanes parked delayed moved unique windows steering held producer signals
-- arguments:
--   batch         its number
--   remembered    ms the producer's record is kept
--   sequence      number in the id of the first one that is born parked; the next have the next
--   jobs...       of each: task, payload, headers, due time ("" for now), number of its lane, unique key ("" for none),
--                 until what the key is taken (done, started, window or debounce), ms of the window, ms after which a
--                 job is no longer put off ("" for no limit), and what becomes of one that meets another
-- returns 1 when anything was told to the queue, else 0; then for each job its id, with a colon and its disposition unless
--   it was created; all separated by spaces. "ID+n" stands for ID and the n that follow it, one by one
-- parts: clock

local answered = redis.call('GET', keys.producer)
if answered then
  local last, reply = string.match(answered, '^(%d+) (.*)$')
  if last and last == args.batch then
    redis.call('PEXPIRE', keys.producer, args.remembered) -- a write, for WAIT and WAITAOF
    return reply
  end
  if last and tonumber(last) > tonumber(args.batch) then
    return redis.error_reply('STALE batch ' .. args.batch .. ' comes after batch ' .. last)
  end
end

-- Keys of another type raise before anything is added: a refused batch is refused whole.
-- parts: expect_lanes steered add open_lane seal park due placed signal_due hold
local WIDTH = 10
local at_once, delayed, keyed = 0, false, false
for i = first.jobs, #ARGV, WIDTH do
  if ARGV[i + 3] == '' then at_once = at_once + 1 else delayed = true end
  keyed = keyed or ARGV[i + 5] ~= ''
end
expect_lanes()
if delayed or keyed or steered then
  redis.call('HLEN', keys.parked)
  redis.call('ZCARD', keys.delayed)
end
if keyed then
  redis.call('HLEN', keys.moved)
  redis.call('HLEN', keys.unique)
  redis.call('ZCARD', keys.windows)
end
local full = steered and over_bound(at_once)
if full then return redis.error_reply(full) end

local parked_so_far, born = 0, {}

-- An id of its own for a job that is born parked, or in a lane whose entries the server must not number.
local function parked_id()
  parked_so_far = parked_so_far + 1
  return string.format('%.0f-%.0f', now, args.sequence + parked_so_far - 1)
end

local function with_id(id, headers)
  return '{"id":"' .. id .. '"' .. (headers == '' and '}' or ',' .. string.sub(headers, 2)) -- we wrote them, and without an id
end

-- parts: unique
local function create_parked(i, id, due)
  local envelope = seal(ARGV[i], with_id(id, ARGV[i + 2]), ARGV[i + 1])
  if not due then
    redis.call('HSET', keys.parked, id, envelope)
    return id
  end
  local earliest = park({ due, id }, { id, envelope })
  if earliest then signal_due(earliest) end
  return id
end

-- Entries of the lanes of a priority get ids that tell the lane and are no other lane's.
local function create_in(number, i)
  if number == lane.ready then return add(keys.lanes[number], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  open_lane(number)
  local within = number * lane.births + clock[2] % 1000 * 1048576 + (born[number] or 0)
  born[number] = (born[number] or 0) + 1
  local id = string.format('%.0f-%.0f', now, within)
  local added = redis.pcall('XADD', keys.lanes[number], id, 'task', ARGV[i], 'payload', ARGV[i + 1], 'headers', ARGV[i + 2])
  if type(added) == 'string' then return added end
  -- the clock was set back: it is born parked, for which any id will do, and moves at once
  local own = parked_id()
  placed(own, number, add(keys.lanes[number], ARGV[i], ARGV[i + 1], with_id(own, ARGV[i + 2])))
  return own
end

local function create(i, due)
  if due then return create_parked(i, parked_id(), due) end
  if steered and is_paused('task:' .. ARGV[i]) then
    local id = create_parked(i, parked_id())
    hold(ARGV[i], id)
    return id
  end
  return create_in(tonumber(ARGV[i + 4]), i)
end

local reply, run, last_ms, last_number = { steered and '1' or '0' }, 0, nil, nil

-- Ids that follow each other are told as one, so that what is remembered of a batch stays short.
local function tell_created(id)
  local ms, number = string.match(id, '^(%d+)%-(%d+)$')
  number = tonumber(number)
  if ms == last_ms and number == last_number + 1 then
    run = run + 1
    reply[#reply] = string.gsub(reply[#reply], '%+%d+$', '') .. '+' .. run
  else
    reply[#reply + 1], run = id, 0
  end
  last_ms, last_number = ms, number
end

for i = first.jobs, #ARGV, WIDTH do
  local due = ARGV[i + 3] ~= '' and due_at(ARGV[i + 3]) or nil
  local id, disposition
  if ARGV[i + 5] == '' then
    id = create(i, due)
  else
    id, disposition = admit_unique(i, due, create)
  end
  if disposition then
    reply[#reply + 1], last_ms = id .. ':' .. disposition, nil
  else
    tell_created(id)
  end
end
local said = table.concat(reply, ' ')
redis.call('SET', keys.producer, args.batch .. ' ' .. said, 'PX', args.remembered)
return said

#!lua flags=allow-oom
-- A queue is granted its part of a shared limit. What it may start it has to start before its lease ends; until the next
-- call, all of that counts as started then, so that no window ever has more starts than the limit, whoever is lost.
-- keys: shared shared_lease shared_held
-- arguments:
--   name
--   queue
--   token   its last lease and how much of it could start, "0:0" for none
--   spent   how much of it was started
--   last    and when last, in ms
--   used    how much its running jobs hold
--   least   how much the job needs that waits for it; 0 where none waits
--   most    how much could start at once
--   held    how many jobs are held
-- returns the server's time; how much it may hold, how much it may start ("-" for each where nothing is said), until when,
--   its number, 1 where it is of use, else 0; ms until it is to ask again; its pause, "" for none; the most that a job may
--   need, "" where nothing is said; and the queue that is to ask next, "" for none
-- parts: clock shared_said
local used, least, most = tonumber(args.used), tonumber(args.least), tonumber(args.most)
local limit = shared_said(args.name)
local state = keys.shared_lease .. args.name
local is_paused = limit['until'] and limit['until'] > now
local cap = math.min(limit.jobs or math.huge, limit.starts or math.huge)
local capped = cap < math.huge and string.format('%.0f', cap) or ''
local is_costly = least > cap -- that job can never start: nothing is kept for it, and its queue hears when the limit changes
if is_costly then least = 0 end
local LEASE, STALE = 0.1, 5000 -- of a window; ms after which a queue that asked for more does not want it any more
local HOLD = 3000 -- ms of a lease without a rate

local function counted()
  return tonumber(redis.call('HGET', state, 'counted') or 0)
end

-- What was leased is counted until its last start has left the window.
local function count(change)
  if redis.call('HINCRBY', state, 'counted', change) <= 0 then redis.call('HDEL', state, 'counted') end
end

local leased = keys.shared_held .. args.name -- lease and how much by when it was started at the latest
local function report()
  local units = tonumber(string.match(args.token, ':(%d+)$') or nil)
  if not units or units == 0 or redis.call('ZREM', leased, args.token) == 0 then return end
  local spent = math.min(units, tonumber(args.spent))
  count(spent - units)
  if spent > 0 then redis.call('ZADD', leased, args.last, string.match(args.token, '^(.*:)') .. spent) end
end

local function forget_old()
  local before = '(' .. string.format('%.0f', now - (limit.window or 0))
  local old = redis.call('ZRANGE', leased, '-inf', before, 'BYSCORE', 'LIMIT', 0, 1000)
  for _, token in ipairs(old) do
    redis.call('ZREM', leased, token)
    count(-tonumber(string.match(token, ':(%d+)$') or 0))
  end
end

-- What other queues hold, how many of them want more, and how much those need that go before this one: who holds less, and
-- of two alike who has asked before. `next_one` goes before all others.
local next_one
local function goes_before(held, since, other_held, other_since)
  return held < other_held or held == other_held and since < other_since
end

local function of_others()
  local hold, wanting, reserved = 0, 0, 0
  local mine = tonumber(string.match(redis.call('HGET', state, 'queue ' .. args.queue) or '', '(%d+)$') or nil) or now
  local said = redis.call('HGETALL', state)
  for i = 1, #said, 2 do
    local queue = string.match(said[i], '^queue (.*)$')
    local held, needs, asked, since = string.match(said[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')
    if queue and queue ~= args.queue and held then
      hold = hold + held
      if tonumber(needs) > 0 and now - asked < STALE then
        wanting = wanting + 1
        local wish = { queue = queue, held = tonumber(held), since = tonumber(since), needs = tonumber(needs) }
        if not next_one or goes_before(wish.held, wish.since, next_one.held, next_one.since) then next_one = wish end
        if goes_before(wish.held, wish.since, used, mine) then reserved = reserved + needs end
      end
    end
  end
  return hold, wanting, reserved, mine
end

if redis.call('EXISTS', leased) == 0 then redis.call('HDEL', state, 'counted') end -- all of it is out of its window
report()
forget_old()
local number = redis.call('HINCRBY', state, 'leases', 1)
redis.call('PEXPIRE', state, 86400000) -- while any queue draws from it, it is asked for every few seconds
if least == 0 and used == 0 then
  redis.call('HDEL', state, 'queue ' .. args.queue)
  if is_costly then redis.call('HSET', state, 'queue ' .. args.queue, string.format('0 0 %.0f %.0f', now, now)) end
  of_others()
  local pause = is_paused and limit.pause or ''
  return { now, '0', '0', string.format('%.0f', now + HOLD), number, 0, 0, pause, capped, next_one and not is_paused and next_one.queue or '' }
end

local others, wanting, reserved, since = of_others()
local hold, start, ends, again = '-', '-', now + HOLD, 1000
if limit.jobs then
  local room, wants = limit.jobs - others - reserved, used + (least > 0 and math.max(least, most) or 0)
  local share = wanting > 0 and math.max(least, math.floor(limit.jobs / (wanting + 1))) or limit.jobs
  hold = is_paused and used or math.max(0, math.min(wants, room, share))
  if hold < used + least then hold = math.min(hold, used) end -- nothing could start of more: it is others'
  again = (wanting > 0 or hold < used + least) and 100 or 1000
end
if is_paused then
  start = 0
elseif limit.starts then
  start = 0
  if least > 0 then
    local room = limit.starts - counted()
    local share = wanting > 0 and math.max(least, math.ceil((room - reserved) / (wanting + 1))) or room
    start = math.max(0, math.min(math.max(least, most, tonumber(args.held)), room - reserved, share))
    if start < least then start = 0 end
  end
  if start > 0 then
    ends = now + math.max(20, math.min(1000, limit.window * LEASE))
    redis.call('ZADD', leased, ends, number .. ':' .. start)
    count(start)
    redis.call('PEXPIRE', leased, limit.window + 60000)
    again = ends - now
  elseif least > 0 then -- until enough of it has left the window
    local free = limit.starts - counted() - reserved
    local oldest = redis.call('ZRANGE', leased, 0, 99, 'WITHSCORES')
    again = 1000
    for i = 1, #oldest, 2 do
      free = free + (tonumber(string.match(oldest[i], ':(%d+)$')) or 0)
      if free >= least then
        again = math.max(1, oldest[i + 1] + limit.window + 1 - now)
        break
      end
    end
  end
end
if is_paused then again = limit['until'] - now end

-- Who goes before all others, where what it needs is free by now: it would hear of that a while later.
local function next_queue()
  if not next_one or is_paused then return '' end
  local mine = hold == '-' and 0 or math.max(hold, used)
  return (not limit.jobs or next_one.needs <= limit.jobs - others - mine) and next_one.queue or ''
end
local wants = hold ~= '-' and hold < used + least or start == 0 and least > 0
redis.call('HSET', state, 'queue ' .. args.queue,
  string.format('%d %d %.0f %.0f', hold == '-' and used or math.max(hold, used), wants and least or 0, now, wants and since or now))
return { now, tostring(hold), tostring(start), string.format('%.0f', ends), number, 1, math.ceil(math.min(again, 60000)), is_paused and limit.pause or '', capped, next_queue() }

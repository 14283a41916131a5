#!lua
-- The run of a planned time: its job is enqueued, and the next planned time noted, unless another has done so already.
-- keys: lanes moved parked delayed unique steering held schedules ticks runs signals staying gate
-- arguments:
--   name
--   version    of the definition from which the caller knows all of this
--   expected   the planned time that is next as far as the caller knows; "" to run now, whatever is planned
--   next       the planned time after that ("" when none comes)
--   planned    that of this run ("" when there is no run: what was planned is given up)
--   missed     how many planned times before it get no run
--   overlap    "skip" when there is no run while the job of the one before is not at its end, "queue" when it waits for
--              that, else "allow"
--   due        when the job is due, as due times are written ("" for now)
--   sequence   number in its id when it is not for now, or has a priority
--   task
--   payload
--   headers
--   generation the number of the last change of partitions that the caller knows; "" for jobs without a group
--   asks       "" or, as a JSON list, the group that has another home by now: it is refused unless one is here yet
-- returns the server's time, and "ran" with the id of the job   or "skipped"   or "none"   or "stale"   or "away", where its group
--   is at home elsewhere   or "full" with how
--   many jobs wait, how many may, and the group that is full, if it is that: then nothing is done, and the planned time stays the next one
-- parts: clock version run add steered seal leave_gate not_at_home
local elsewhere = args.generation ~= '' and not_at_home()
if elsewhere then return { now, elsewhere == 'home' and 'away' or 'stale' } end
if version_of(args.name) ~= args.version then return { now, 'stale' } end
if args.expected ~= '' then
  local score = redis.call('ZSCORE', keys.ticks, args.name)
  if not score or tonumber(score) ~= tonumber(args.expected) then return { now, 'stale' } end
end

local run = run_of(redis.call('HGET', keys.runs, args.name))
local said, id = 'none', nil

local function goes_on(job)
  -- parts: places
  return is_id(job) and (entry_of(job) or redis.call('HEXISTS', keys.parked, job) == 1)
end

-- The id of a job that is not born in the lane of most, and its headers.
local function own_id()
  local own = string.format('%.0f-%.0f', now, args.sequence)
  return own, '{"id":"' .. own .. '",' .. string.sub(args.headers, 2) -- we wrote them, and without an id
end

-- The id of a job that is not for now, and its envelope.
local function parked_job()
  -- expects: parked delayed
  local own, headers = own_id()
  return own, seal(args.task, headers, args.payload)
end

-- The id of the new job; or nil, and why no more may wait.
local function enqueue()
  if args.due ~= '' then
    -- parts: due park signal_due
    local own, envelope = parked_job()
    local earliest = park({ due_at(args.due), own }, { own, envelope })
    if earliest then signal_due(earliest) end
    return own
  end
  -- parts: lane_of group_of over_group_bound
  local number, group = lane_of(args.headers), group_of(args.headers)
  if not group and steered and is_paused('task:' .. args.task) then
    -- parts: hold
    -- expects: held
    local own, envelope = parked_job()
    redis.call('HSET', keys.parked, own, envelope)
    hold(args.task, own)
    return own
  end
  local full = steered and over_bound(1) or group and over_group_bound(group, 1)
  if full then return nil, full end
  if number == lane.ready and not group then return add(keys.lanes[number], args.task, args.payload, args.headers) end
  -- parts: wait
  -- expects: lanes moved
  local own, headers = own_id()
  wait(own, args.task, args.payload, headers)
  return own
end

local LINE = 4000 -- bytes of ids that may wait for the job of the run before: some 130 runs

-- A job that waits until the jobs of the runs before have ended: they have one unique key. nil when the line is too long,
-- or as above.
local function enqueue_behind()
  -- parts: holder_of_key
  -- expects: unique moved
  local key = 'schedule:' .. args.name
  local standing, taken, rest = holder_of_key(key)
  if not standing then
    local own, full = enqueue()
    if own then stand(key, own, 'done') end
    return own, full
  end
  if #rest > LINE then return nil end
  local own, envelope = parked_job()
  redis.call('HSET', keys.parked, own, envelope)
  stand(key, standing, taken, rest .. ' ' .. own)
  return own
end

if args.planned ~= '' then
  local full
  if args.overlap == 'queue' then
    id, full = enqueue_behind()
  elseif args.overlap ~= 'skip' or run.job == '-' or not goes_on(run.job) then
    id, full = enqueue()
  end
  if full then return { now, 'full', string.sub(full, 6) } end
  if id then
    said, run.job, run.fired = 'ran', id, run.fired + 1
  elseif args.expected == '' then
    return { now, 'skipped' }
  else
    said, run.skipped = 'skipped', run.skipped + 1
  end
  run.planned, run.at = tonumber(args.planned), now
end

if args.expected ~= '' then
  run.missed = run.missed + args.missed
  if args.next == '' then
    redis.call('ZREM', keys.ticks, args.name)
  else
    redis.call('ZADD', keys.ticks, args.next, args.name)
  end
end
write_run(args.name, run)
return { now, said, id }

#!lua
-- The run of a planned time: its job is enqueued, and the next planned time noted, unless another has done so already.
-- keys: lanes moved parked delayed schedules ticks runs signals
-- arguments:
--   name
--   version    of the definition from which the caller knows all of this
--   expected   the planned time that is next as far as the caller knows; "" to run now, whatever is planned
--   next       the planned time after that ("" when none comes)
--   planned    that of this run ("" when there is no run: what was planned is given up)
--   missed     how many planned times before it get no run
--   overlap    "skip" when there is no run while the job of the one before is not at its end
--   due        when the job is due, as due times are written ("" for now)
--   sequence   number in its id when it is not for now
--   task
--   payload
--   headers
-- returns the server's time, and "ran" with the id of the job   or "skipped"   or "none"   or "stale"
-- parts: clock version run add
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

if args.planned ~= '' then
  if args.overlap == 'skip' and run.job ~= '-' and goes_on(run.job) then
    if args.expected == '' then return { now, 'skipped' } end
    said, run.skipped = 'skipped', run.skipped + 1
  else
    if args.due == '' then
      id = add(keys.lanes[lane.ready], args.task, args.payload, args.headers)
    else
      redis.call('HLEN', keys.parked) -- a key of another type raises before anything is written
      redis.call('ZCARD', keys.delayed)
      -- parts: due seal park signal_due
      id = string.format('%.0f-%.0f', now, args.sequence)
      local headers = '{"id":"' .. id .. '",' .. string.sub(args.headers, 2) -- we wrote them, and without an id
      local earliest = park({ due_at(args.due), id }, { id, seal(args.task, headers, args.payload) })
      if earliest then signal_due(earliest) end
    end
    said, run.job, run.fired = 'ran', id, run.fired + 1
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

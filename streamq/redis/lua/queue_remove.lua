#!lua flags=allow-oom
-- A queue is removed that nobody serves, with all that was told to it: one without jobs and schedules, or any. Where one
-- has left for another server, only texts are left that say so.
-- keys: lanes parked finished schedules workers migration others...
-- arguments:
--   purge     "1" where its jobs go with it
-- returns "" when it is removed; else what is in the way: "workers" or "jobs"
if redis.call('ZCARD', keys.workers) > 0 then return 'workers' end
local left = redis.call('HGET', keys.migration, 'phase') == 'left'
if not left and redis.call('HLEN', keys.schedules) > 0 then return 'jobs' end
if args.purge ~= '1' and not left then
  for number = 1, #keys.lanes do
    if redis.call('XLEN', keys.lanes[number]) > 0 then return 'jobs' end
  end
  if redis.call('HLEN', keys.parked) + redis.call('HLEN', keys.finished) > 0 then return 'jobs' end
end
for number = 1, #keys.lanes do redis.call('UNLINK', keys.lanes[number]) end
redis.call('UNLINK', keys.parked, keys.finished, keys.schedules, keys.workers)
for number = 1, #keys.others do redis.call('UNLINK', keys.others[number]) end
return ''

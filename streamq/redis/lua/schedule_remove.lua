#!lua flags=allow-oom
-- A schedule is removed. Its jobs stay.
-- keys: schedules ticks runs signals
-- arguments:
--   name
--   version   the number of its changes as the caller knows it; "" for whatever lies there
-- returns 1, or 0 when the number is another
-- parts: version signal_schedules
if args.version ~= '' and version_of(args.name) ~= args.version then return 0 end
redis.call('ZREM', keys.ticks, args.name)
redis.call('HDEL', keys.runs, args.name)
redis.call('HDEL', keys.schedules, args.name)
signal_schedules()
return 1

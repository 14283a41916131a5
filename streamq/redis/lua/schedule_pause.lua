#!lua flags=allow-oom
-- A schedule is paused, or goes on.
-- keys: schedules ticks runs signals
-- arguments:
--   name
--   version   the number of its changes as the caller knows it
--   pause     who paused it, when and why (JSON); "" when it goes on
--   next      its next planned time when it goes on ("" when none comes)
-- returns 1, or 0 when the number is another, or the next planned time has been run meanwhile
-- parts: version run signal_schedules
-- expects: ticks
local run = run_of(redis.call('HGET', keys.runs, args.name))
if version_of(args.name) ~= args.version or tonumber(args.next) == run.planned then return 0 end
run.pause = args.pause
write_run(args.name, run)
if args.pause ~= '' or args.next == '' then
  redis.call('ZREM', keys.ticks, args.name)
else
  redis.call('ZADD', keys.ticks, args.next, args.name)
end
signal_schedules()
return 1

#!lua
-- A schedule is made, or changed.
-- keys: schedules ticks runs signals
-- arguments:
--   name
--   version      the number of its changes as the caller knows it; 0 when there is none
--   definition   and its payload
--   next         its next planned time ("" when none comes; "same" when it is planned for the same times as before)
--   expected     its next planned time as the caller knows it; "" for whichever
--   least        what that number was at least, where it has been in another queue
--   runs         what it has done, where it comes from elsewhere; "" for nothing
-- returns the number of its changes now, or nothing when it is another than the caller knows, or the next planned time
-- has been run meanwhile
-- parts: version run signal_schedules
-- expects: ticks
local run = run_of(redis.call('HGET', keys.runs, args.name) or args.runs)
if version_of(args.name) ~= args.version or tonumber(args.next) == run.planned then return false end
if args.expected ~= '' and tonumber(redis.call('ZSCORE', keys.ticks, args.name) or nil) ~= tonumber(args.expected) then return false end
local version = math.max(args.version, args.least) + 1
redis.call('HSET', keys.schedules, args.name, string.format('%.0f ', version) .. args.definition)
write_run(args.name, run)
if args.next ~= 'same' then -- else it is left, as another may run it at this moment
  if args.next == '' or run.pause ~= '' then
    redis.call('ZREM', keys.ticks, args.name)
  else
    redis.call('ZADD', keys.ticks, args.next, args.name)
  end
end
signal_schedules()
return version

#!lua flags=allow-oom
-- A queue, or a task in it, is paused; a pause that is there already gets the new reason and end.
-- keys: steering signals
-- arguments:
--   name     `paused`, or `task:` and the task
--   reason
--   by       who asked for it
--   ends     when it ends by itself: a due time, or "" for never
-- returns the server's time
-- parts: clock due
local pause = { reason = args.reason, by = args.by, since_ms = now }
if args.ends ~= '' then pause.until_ms = due_at(args.ends) end
redis.call('HSET', keys.steering, args.name, cjson.encode(pause))
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
return now

#!lua flags=allow-oom
-- A bound is told to a queue; or it, or a pause, is taken back. Its workers hear of it.
-- keys: steering signals
-- arguments:
--   name     what it is about
--   value    "" to take it back
-- returns 1 when that changes anything, else 0
local before = redis.call('HGET', keys.steering, args.name) or ''
if before == args.value then return 0 end
if args.value == '' then
  redis.call('HDEL', keys.steering, args.name)
else
  redis.call('HSET', keys.steering, args.name, args.value)
end
redis.pcall('PUBLISH', keys.signals, 'steer\n\n')
return 1

#!lua flags=allow-oom
-- A bound is told to a queue; or it, or a pause, is taken back. Its workers hear of it.
-- keys: steering signals
-- arguments:
--   name     what it is about
--   value    "" to take it back
-- returns 1 when that changes anything, else 0
if args.value == '' then
  if redis.call('HDEL', keys.steering, args.name) == 0 then return 0 end
else
  if redis.call('HGET', keys.steering, args.name) == args.value then return 0 end
  redis.call('HSET', keys.steering, args.name, args.value)
end
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
return 1

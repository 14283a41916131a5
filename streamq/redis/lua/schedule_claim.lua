#!lua
-- The name of a schedule is taken for a queue, unless another has it meanwhile: it is unique in the app.
-- keys: all_schedules
-- arguments:
--   name
--   queue     and, where it has come from another one, the number of its changes then
--   before    what stands there as the caller knows it; "" when nothing does
-- returns 1 when it is taken
if (redis.call('HGET', keys.all_schedules, args.name) or '') ~= args.before then return 0 end
redis.call('HSET', keys.all_schedules, args.name, args.queue)
return 1

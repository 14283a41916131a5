#!lua flags=allow-oom
-- How many partitions a queue has is told, where it is still as it was read.
-- keys: partitions
-- arguments:
--   queue
--   before   what was read; "" for nothing
--   after
-- returns 1, or 0 where somebody else has changed it
local told = redis.call('HGET', keys.partitions, args.queue) or ''
if told ~= args.before then return 0 end
redis.call('HSET', keys.partitions, args.queue, args.after)
return 1

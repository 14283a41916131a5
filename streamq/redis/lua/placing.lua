#!lua flags=allow-oom
-- A partition is closed to producers that do not know of a change yet, for jobs that have their home by group or key; its
-- workers hear of it.
-- keys: staying signals
-- arguments:
--   generation   the number of the change
local closed = tonumber(redis.call('HGET', keys.staying, '') or 0) or 0
if closed >= tonumber(args.generation) then return 1 end
redis.call('HSET', keys.staying, '', args.generation)
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'partitions\n\n')
return 1

#!lua flags=allow-oom
-- A partition is closed to producers that do not know of a change yet, for jobs that have their home by group or key.
-- keys: staying
-- arguments:
--   generation   the number of the change
local closed = tonumber(redis.call('HGET', keys.staying, '') or 0) or 0
if closed < tonumber(args.generation) then redis.call('HSET', keys.staying, '', args.generation) end
return 1

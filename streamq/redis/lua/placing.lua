#!lua flags=allow-oom
-- A partition is closed to producers that do not know of a change yet, for jobs that have their home by group or key.
-- keys: placing
-- arguments:
--   generation   the number of the change
local closed = tonumber(redis.call('GET', keys.placing) or 0) or 0
if closed < tonumber(args.generation) then redis.call('SET', keys.placing, args.generation) end
return 1

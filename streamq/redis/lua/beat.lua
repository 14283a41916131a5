#!lua flags=allow-oom
-- A worker's heartbeat, which must succeed on a full server: its counter increases. The signals of requests to end jobs
-- may be lost, so it is told whether there are any.
-- keys: workers cancels
-- arguments:
--   worker
-- returns its number of beats, and how many active jobs are to end
local asked = redis.pcall('HLEN', keys.cancels) -- of another type, it stops no beat
return { redis.call('ZINCRBY', keys.workers, 1, args.worker), type(asked) == 'number' and asked or 0 }

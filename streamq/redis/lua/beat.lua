#!lua flags=allow-oom
-- A worker's heartbeat, which must succeed on a full server: its counter increases. The signals of requests to end jobs
-- may be lost, and those of pauses, so it is told whether there are any.
-- keys: lanes workers cancels steering retention
-- arguments:
--   worker
-- returns its number of beats, how many active jobs are to end, and whether anything was told to the queue, or it has
--   lanes of priorities: how many of these keys are there
local beats, asked = redis.call('ZINCRBY', keys.workers, 1, args.worker), 0
local steered = redis.pcall('EXISTS', keys.cancels, keys.steering, keys.retention, unpack(KEYS, lane.always + 1, #keys.lanes))
if type(steered) ~= 'number' then steered = 0 end -- a right that is missing stops no beat
if steered > 0 and redis.call('EXISTS', keys.cancels) == 1 then
  asked = redis.pcall('HLEN', keys.cancels) -- of another type, it stops no beat
  asked, steered = type(asked) == 'number' and asked or 0, steered - 1
end
return { beats, asked, steered }

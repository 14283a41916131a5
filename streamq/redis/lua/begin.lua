#!lua flags=allow-oom
-- Jobs start whose unique keys are taken until then.
-- keys: lanes parked moved unique signals
-- arguments:
--   jobs...   key and id of each
-- parts: expect_lanes leave_key
expect_lanes()
redis.call('HLEN', keys.parked)
redis.call('HLEN', keys.moved)
for i = first.jobs, #ARGV, 2 do leave_key(ARGV[i], ARGV[i + 1]) end
return 'OK'

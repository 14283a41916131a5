#!lua flags=allow-oom
-- Jobs start whose unique keys are taken until then.
-- keys: lanes parked delayed moved unique signals gate
-- arguments:
--   jobs...   key and id of each, at most 1,000
-- parts: leave_keys
-- expects: parked moved delayed
local named, ids = {}, {}
for i = first.jobs, #ARGV, 2 do named[#named + 1], ids[#ids + 1] = ARGV[i], ARGV[i + 1] end
leave_keys(named, ids)
return 'OK'

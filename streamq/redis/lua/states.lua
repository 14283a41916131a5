#!lua flags=no-writes,allow-oom
-- The states of jobs that are watched.
-- keys: lanes moved parked delayed finished
-- arguments:
--   ids...
-- returns for each id its state, "ended" where it has one that is final, or "" where there is no such job
-- parts: living_state
local said = {}
for i = first.ids, #ARGV do
  local ended = is_id(ARGV[i]) and redis.call('HEXISTS', keys.finished, ARGV[i]) == 1
  said[#said + 1] = ended and 'ended' or living_state(ARGV[i]) or ''
end
return said

#!lua
-- A failed job waits again, with all its attempts and none of its crashes; its history stays. Of many who ask at once
-- one moves it, and the others are told where it is then: nobody needs to look before or after.
-- keys: lanes moved parked delayed finished failures signals
-- arguments:
--   id
-- returns "moved", task, payload, headers   or "is", its state   or nothing when there is no such job
-- parts: ids expect_lanes
expect_lanes()
redis.call('ZCARD', keys.failures)
redis.call('HLEN', keys.moved)
local id = args.id
local record = is_id(id) and redis.call('HGET', keys.finished, id)
local letter = record and string.sub(record, 1, 1)

if letter == mark.failed then
  -- parts: record_job rewritten lane_of add_to placed
  local task, headers, payload = job_of(record)
  local renewed = { attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true }
  local kept = rewritten(split(headers), id, renewed)
  local to = lane_of(kept)
  placed(id, to, add_to(to, task, payload, kept))
  redis.call('HDEL', keys.finished, id)
  redis.call('ZREM', keys.failures, id)
  return { 'moved', task, payload, kept }
end

-- parts: places
local lane, entry = entry_of(id)
if lane then return { 'is', holder_of(lane, entry) == '' and 'waiting' or 'active' } end
if is_id(id) and redis.call('HEXISTS', keys.parked, id) == 1 then
  return { 'is', redis.call('ZSCORE', keys.delayed, id) and 'delayed' or 'held' }
end
if record then return { 'is', letter == mark.completed and 'completed' or 'unreadable' } end
return {}

#!lua
-- A job that failed, was cancelled or has expired waits again, with all its attempts and none of its crashes; its history
-- stays, and it does not expire any more. Of many who ask at once one moves it, and the others are told where it is then:
-- nobody needs to look before or after.
-- keys: lanes moved parked delayed finished failures cancelled expired cancels unique signals
-- arguments:
--   id
-- returns "moved", task, payload, headers   or "is", its state   or "key", its unique key, the job that has it
--   and its own state   or nothing when there is no such job
-- parts: clock ids state_of living_state
-- expects: lanes failures cancelled expired moved cancels unique
local id = args.id
local record = is_id(id) and redis.call('HGET', keys.finished, id)
local state = record and state_of(record)

if state and starts.retry[state] then
  -- parts: record_job rewritten lane_of add_to placed take_key_again
  local task, headers, payload = job_of(record)
  local renewed = { attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true, expires = true }
  local kept = rewritten(split(headers), id, renewed)
  local key, other = take_key_again(id, kept)
  if key then return { 'key', key, other, state } end
  local to = lane_of(kept)
  placed(id, to, add_to(to, task, payload, kept))
  redis.call('HDEL', keys.finished, id)
  redis.call('ZREM', keys.failures, id)
  redis.call('ZREM', keys.cancelled, id)
  redis.call('ZREM', keys.expired, id)
  redis.call('HDEL', keys.cancels, id) -- a request of its life before
  return { 'moved', task, payload, kept }
end

local living = living_state(id)
if living or record then return { 'is', living or state } end
return {}

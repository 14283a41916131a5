-- A job that failed, was cancelled or has expired waits again, with all its attempts and none of its crashes; its history
-- stays, and it does not expire any more. Returns "moved", task, payload, headers   or "is", its state   or "key", its
-- unique key, the job that has it and its own state   or nothing when there is no such job; and the bytes of its record.
-- `forget_ended` is called once with the ids of all that were moved.
-- parts: clock ids state_of living_state failed_no_more record_job rewritten wait take_key_again
local RENEWED = { attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true, expires = true }

local function again(id)
  local record = is_id(id) and redis.call('HGET', keys.finished, id)
  local state = record and state_of(record)
  if not (state and starts.retry[state]) then
    local living = living_state(id)
    return (living or record) and { 'is', living or state } or {}, #(record or '')
  end
  local task, headers, payload = job_of(record)
  local kept = rewritten(split(headers), id, RENEWED)
  local key, other = take_key_again(id, kept)
  if key then return { 'key', key, other, state }, #record end
  wait(id, task, payload, kept)
  return { 'moved', task, payload, kept }, #record
end

local function forget_ended(ids)
  failed_no_more(ids)
  each('HDEL', keys.finished, ids)
  each('ZREM', keys.failures, ids)
  each('ZREM', keys.cancelled, ids)
  each('ZREM', keys.expired, ids)
  each('HDEL', keys.cancels, ids) -- requests of their lives before
end

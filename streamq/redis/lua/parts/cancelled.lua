-- The end of a job that is cancelled, by whichever script meets it.
-- parts: record bury key_of leave_key

-- Write its record, and forget where it was. Whoever calls has the job, and takes it from its place.
local function cancelled(id, worker, task, headers, payload, told)
  local record = unrun_record(mark.cancelled, id, worker, task, headers, line(told), payload)
  bury(keys.cancelled, tonumber(args.keep_failed), { id }, { id, record })
  redis.call('HDEL', keys.cancels, id)
  redis.call('HDEL', keys.moved, id)
  local key = key_of(headers)
  if key then leave_key(key, id) end
  return record
end

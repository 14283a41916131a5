-- The ends of jobs that are cancelled, by whichever script meets them.
-- parts: record key_of leave_key bury each

-- `ended` gets the job's id and its record, and its unique key is free. Whoever calls has the job, and takes it from its
-- place.
local function cancel(ended, id, worker, task, headers, payload, told)
  ended[#ended + 1] = id
  ended[#ended + 1] = unrun_record(mark.cancelled, id, worker, task, headers, line(told), payload)
  local key = key_of(headers)
  if key then leave_key(key, id) end
end

-- Write the records of all of them, and forget where they were.
local function bury_cancelled(ended)
  local ids = {}
  for i = 1, #ended, 2 do ids[#ids + 1] = ended[i] end
  bury(keys.cancelled, tonumber(args.keep_failed), ids, ended)
  each('HDEL', keys.cancels, ids)
  each('HDEL', keys.moved, ids)
end

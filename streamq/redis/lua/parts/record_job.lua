-- The reader of records: task, headers and payload of a finished job.
-- parts: cut unseal
local function job_of(record)
  local task, headers, rest = unseal(select(2, cut(record)))
  return task, headers, select(2, cut(rest))
end

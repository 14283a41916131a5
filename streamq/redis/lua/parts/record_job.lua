-- The reader of records: task, headers and payload of a finished job.
-- parts: unseal

-- What comes after the first line feed; '' when there is none.
local function behind(text)
  return string.sub(text, (string.find(text, '\n', 1, true) or #text) + 1)
end

local function job_of(record)
  local task, headers, rest = unseal(behind(record))
  return task, headers, behind(rest)
end

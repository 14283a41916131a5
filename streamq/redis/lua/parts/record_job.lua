-- The reader of records: task, headers, payload and outcome of a finished job.
-- parts: unseal

-- What comes after the first line feed; '' when there is none.
local function behind(text)
  return string.sub(text, (string.find(text, '\n', 1, true) or #text) + 1)
end

local function job_of(record)
  local task, headers, rest = unseal(behind(record))
  local outcome_ends = string.find(rest, '\n', 1, true) or #rest + 1
  return task, headers, string.sub(rest, outcome_ends + 1), string.sub(rest, 1, outcome_ends - 1)
end

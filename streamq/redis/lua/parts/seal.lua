-- The writer of envelopes: a job as `parked` keeps it.
-- parts: line
local function seal(task, headers, payload)
  return line(task) .. '\n' .. line(headers) .. '\n' .. payload
end

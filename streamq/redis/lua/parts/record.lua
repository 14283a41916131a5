-- The writer of records of finished jobs. (`streamq/model/record.py` has the format, and the worker's writer.)
-- parts: clock line birth

-- Of a job that did not run to its end. Milliseconds since its birth are what a record says of time; the id says the rest.
local function unrun_record(mark, id, worker, task, headers, outcome, payload)
  local age = string.format('%.0f', math.max(0, now - (birth_of(id) or now)))
  return mark .. age .. ' 0 ' .. worker .. '\n' .. line(task) .. '\n' .. line(headers) .. '\n' .. outcome .. '\n' .. payload
end

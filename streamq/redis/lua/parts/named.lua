-- Headers with the job's id in them, and the id: a job that leaves its birthplace carries its id along.
-- parts: header_id rewritten
local function named(headers, birthplace)
  local id = id_of(headers)
  if id then return headers, id end
  return rewritten(split(headers), birthplace, {}), birthplace
end

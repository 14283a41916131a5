-- The job's id in its headers; nil where they have none.
-- parts: ids
local function id_of(headers)
  local id = string.match(headers, '^{"id":"(%d+%-%d+)"[,}]')
  return id and is_id(id) and id or nil
end

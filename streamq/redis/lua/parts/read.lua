-- The one reader of entries.

-- Task, payload and headers among the fields of an entry, which may come in any order and may be missing.
local function parse(fields)
  local at = { task = '', payload = 'null', headers = '' }
  for i = 1, #fields, 2 do at[fields[i]] = fields[i + 1] end
  return at.task, at.payload, at.headers
end

-- The same of an entry, or nil when it is gone.
local function read(lane, entry)
  local found = redis.call('XRANGE', lane, entry, entry)
  if #found == 0 then return nil end
  return parse(found[1][2])
end

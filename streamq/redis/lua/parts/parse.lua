-- Task, payload and headers among the fields of an entry, which may come in any order and may be missing.
local function parse(fields)
  local at = { task = '', payload = 'null', headers = '' }
  for i = 1, #fields, 2 do at[fields[i]] = fields[i + 1] end
  return at.task, at.payload, at.headers
end

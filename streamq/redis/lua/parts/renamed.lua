-- Headers with the id of a job that is known by where it lay, whatever they say. Where that is no id, theirs counts.
-- parts: ids
local function renamed(headers, id)
  local valid = is_id(id)
  if valid and string.find(headers, id, 8, true) == 8 and string.find(headers, '^{"id":"') and string.find(headers, '^"[,}]', 8 + #id) then
    return headers, id -- as nearly all are: no text is cut out
  end
  if not valid then
    -- parts: header_id
    return headers, id_of(headers)
  end
  -- parts: rewritten
  return rewritten(split(headers), id, {}), id
end

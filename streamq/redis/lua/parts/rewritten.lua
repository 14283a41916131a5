-- The writer of headers.
-- parts: headers

-- Headers that begin with this id, then the members but those that `drop` names, then three texts of our own. These are
-- joined here, as each copy of a large one costs a millisecond.
local function rewritten(list, id, drop, before, large, after)
  local kept = {}
  for _, member in ipairs(list) do
    if member.name ~= 'id' and not drop[member.name] then
      kept[#kept + 1] = ',' .. string.sub(list.headers, member.at, member.to)
    end
  end
  return '{"id":"' .. id .. '"' .. table.concat(kept) .. (before or '') .. (large or '') .. (after or '') .. '}'
end

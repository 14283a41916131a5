-- When a finished job ended, in ms since the epoch, by what its record says; nil where it does not say it.
-- parts: birth
local function ended_at(id, record)
  local age = tonumber(string.match(record, '^%a(%-?%d+)'))
  return age and (birth_of(id) or 0) + age
end

-- The number of changes of a schedule, with which what `schedules` keeps of it begins; "0" when there is none.
local function version_of(name)
  local kept = redis.call('HGET', keys.schedules, name)
  return kept and string.match(kept, '^%d+') or '0'
end

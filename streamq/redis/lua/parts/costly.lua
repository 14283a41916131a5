-- Jobs that need more of a shared limit than it ever allows, for gate.lua alone: `why` tells of them.
-- parts: lease
local AGAIN = 10000 -- ms after which it is asked for whether the limit allows more by now

-- The most that a job may need of a shared limit, and when that was told; in `leases` under the name and ` most`.
local mosts, told_at = {}, {}
local function most_of(name)
  if not mosts[name] then
    local most, at = string.match(redis.call('HGET', keys.leases, name .. ' most') or '', '^(%d+) (%d+)$')
    mosts[name], told_at[name] = tonumber(most or nil) or math.huge, tonumber(at or nil)
  end
  return mosts[name]
end

-- The scope for which such a job waits: who is granted a lease of a limit that allows more calls those that wait for it.
local function costly_for(names, headers)
  for _, name in ipairs(names) do
    local units = units_from(name, headers)
    if units > most_of(name) then
      if now - told_at[name] >= AGAIN then asked[name] = units end
      return 'costly:' .. name
    end
  end
end

-- It goes to the end of its line, so that the others go on.
local function goes_back(id, name, list, group, scope)
  redis.call('RPUSH', name, id)
  list.at, popped[name] = list.at + 1, (popped[name] or 0) + 1
  if list.whole then list[#list + 1] = id end
  costly[id], costly[group], looks = true, scope, looks + 1
end

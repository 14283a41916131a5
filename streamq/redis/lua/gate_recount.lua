#!lua flags=allow-oom
-- How many jobs of each scope are past the gate is counted anew, where these are few enough for one call.
-- keys: gate
-- arguments:
--   most     so many slots at most
--   repair   "1" to write what was counted
-- returns -1 where there are more, else how many scopes were wrong, and the first of them
-- parts: tenant_of
-- expects: out used
if redis.call('HLEN', keys.out) > tonumber(args.most) then return { -1, {} } end
local counted, told = {}, redis.call('HGETALL', keys.out)
local function count(scope, units)
  counted[scope] = (counted[scope] or 0) + units
end

for i = 2, #told, 2 do
  local group, task, shared = string.match(told[i], '^([^\n]*)\n([^\n]*)\n?(.*)$')
  if group then
    local tenant, part = tenant_of(group)
    count(part and 'group:' .. group or 'group:' .. tenant, 1)
    if task ~= '' then -- else it keeps its group's slot alone
      count('queue', 1)
      count('task:' .. task, 1)
      if part then count('group:' .. tenant, 1) end
      for name, units in string.gmatch(shared, '(%S+)=(%d+)') do count('shared:' .. name, tonumber(units)) end
    end
  end
end

local wrong, first, used = 0, {}, redis.call('HGETALL', keys.used)
local function note(scope, was)
  wrong = wrong + 1
  if #first < 10 then first[#first + 1] = string.sub(scope, 1, 100) .. ' has ' .. (counted[scope] or 0) .. ' slots, not ' .. was end
  if args.repair ~= '1' then return end
  if counted[scope] then redis.call('HSET', keys.used, scope, string.format('%d', counted[scope])) else redis.call('HDEL', keys.used, scope) end
end

local seen = {}
for i = 1, #used, 2 do
  seen[used[i]] = true
  if not counted[used[i]] or tonumber(used[i + 1]) ~= counted[used[i]] then note(used[i], used[i + 1]) end
end
for scope in pairs(counted) do
  if not seen[scope] then note(scope, 0) end
end
return { wrong, first }

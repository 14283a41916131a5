-- A job that is past the gate and has no slot gets one: by hand or by a fault it was taken from it.
-- parts: tenant_of count_used

-- What `out` tells of jobs, added to how many there are of each scope. (`streamq/store/accounts.py` counts alike.)
local function add_told(by_scope, told, count)
  local group, task, shared = string.match(told, '^([^\n]*)\n([^\n]*)\n?(.*)$')
  if not group then return end
  local tenant, part = tenant_of(group)
  local function add(scope, units) by_scope[scope] = (by_scope[scope] or 0) + count * (units or 1) end
  if task ~= '' then
    add('queue')
    add('task:' .. task)
    if part then add('group:' .. tenant) end
    for name, units in string.gmatch(shared, '(%S+)=(%d+)') do add('shared:' .. name, tonumber(units)) end
  end
  add('group:' .. (part and group or tenant))
end

local function give_slot(id, told)
  local by_scope = {}
  add_told(by_scope, told, 1)
  redis.call('HSET', keys.out, id, told)
  count_used(by_scope)
end

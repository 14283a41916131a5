-- A group has one level or two: the tenant, and the part of it; nil for a group of one level.
local function tenant_of(group)
  local tenant, part = string.match(group, '^([^:]+):(.+)$')
  return tenant or group, part
end

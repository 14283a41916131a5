-- The weight of a tenant, or of a part of it, beside others.
local function weight_of(tenant, part)
  local scope, general = 'group:' .. tenant .. (part and ':' .. part or ''), part and 'group:*:*' or 'group:*'
  local said = redis.call('HMGET', keys.limits, scope, general)
  local weight = string.match(said[1] or '', 'weight=([%d.]+)') or string.match(said[2] or '', 'weight=([%d.]+)')
  return math.min(1000, math.max(0.01, tonumber(weight or 1) or 1))
end

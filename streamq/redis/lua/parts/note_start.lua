-- A start counts for the rate of a scope.
local function note_start(scope, limit)
  if not (limit and limit.starts) then return end
  redis.call('RPUSH', keys.starts .. scope, now)
  redis.call('LTRIM', keys.starts .. scope, -limit.starts, -1)
  redis.call('PEXPIRE', keys.starts .. scope, limit.window + 1000)
end

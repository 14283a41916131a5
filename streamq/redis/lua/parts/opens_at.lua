-- When the pause of a scope ends, or its window opens, in ms since the epoch; nil where neither keeps it closed.
-- parts: clock limits
local function opens_at(scope, limit)
  if limit['until'] and limit['until'] > now then return limit['until'] end
  if limit.broken and redis.call('HEXISTS', keys.out, limit.broken.probe or '') == 1 then return now + (limit.rest or 30000) end -- it still tries
  if not limit.starts then return nil end
  local oldest = tonumber(redis.call('LINDEX', keys.starts .. scope, -limit.starts) or nil)
  if oldest and oldest > now + limit.window then return nil end -- it was written by others
  return oldest and now - oldest <= limit.window and oldest + limit.window + 1 or nil
end

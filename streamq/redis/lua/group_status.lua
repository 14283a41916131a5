#!lua flags=no-writes,allow-oom
-- How groups are: how many of their jobs wait and are active, their limits, and how many starts their windows have used.
-- keys: lanes parked delayed gate
-- arguments:
--   groups...
-- returns the server's time, whether any group has parts; then of each group: how many wait in its line, how many are
--   active; the limit of all of its level, its own, and its pause ("" for none of each); how many starts are in its window;
--   the birth of the job that waits longest, in ms (0 for none)
-- parts: clock limits
local LOOKS = 20 -- ids of jobs that have left the line may be at its head

local function used_in_window(scope)
  local limit = limit_of(scope)
  if not (limit and limit.starts) then return 0 end
  local key = keys.starts .. scope
  local low, high = 0, math.min(limit.starts, redis.call('LLEN', key))
  while low < high do -- so many of the last are within the window
    local middle = math.ceil((low + high) / 2)
    local at = tonumber(redis.call('LINDEX', key, -middle))
    if at and now - at <= limit.window then low = middle else high = middle - 1 end
  end
  return low
end

local function oldest_of(group)
  local oldest = 0
  for number = 1, #keys.lanes do
    local ids = redis.call('LRANGE', keys.line .. number .. ':' .. group, 0, LOOKS - 1)
    for _, id in ipairs(ids) do
      local birth = tonumber(string.match(id, '^%d+'))
      if birth and redis.call('HEXISTS', keys.parked, id) == 1 and not redis.call('ZSCORE', keys.delayed, id) then
        if oldest == 0 or birth < oldest then oldest = birth end
        break
      end
    end
  end
  return oldest
end

local said = { now, redis.call('HEXISTS', keys.gate, 'parts') }
for at = first.groups, #ARGV do
  local group = ARGV[at]
  local scope = 'group:' .. group
  local general = string.find(group, ':', 1, true) and 'group:*:*' or 'group:*'
  local told = redis.call('HMGET', keys.limits, general, scope, 'pause ' .. scope)
  said[#said + 1] = tonumber(redis.call('ZSCORE', keys.lines, group) or 0)
  said[#said + 1] = tonumber(redis.call('HGET', keys.used, scope) or 0) or 0
  for i = 1, 3 do said[#said + 1] = told[i] or '' end
  said[#said + 1] = used_in_window(scope)
  said[#said + 1] = oldest_of(group)
end
return said

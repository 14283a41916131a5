-- What has opened since is tried again: scopes for which others wait, which `chain` names, and groups. For gate.lua alone.
-- parts: clock limits each
local chain = {}
local first_open = redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2]
if first_open and tonumber(first_open) <= now then
  -- parts: callers
  local due = redis.call('ZRANGE', keys.opens, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
  each('ZREM', keys.opens, due)
  local groups = {}
  for _, scope in ipairs(due) do
    groups[#groups + 1] = string.match(scope, '^group:(.*)$')
    chain[scope] = true
    if has_limits then
      local pause = redis.call('HGET', keys.limits, 'pause ' .. scope) or ''
      local ends = tonumber(string.match(pause, '^%d+'))
      if ends and ends <= now and not string.find(pause, '"breaker":true', 1, true) then redis.call('HDEL', keys.limits, 'pause ' .. scope) end
    end
  end
  turn_each(groups)
end

#!lua flags=allow-oom
-- The pause of a group ends, and its jobs have their turn.
-- keys: lanes signals gate
-- arguments:
--   scope
-- returns 1 when it was paused, else 0
-- parts: clock wake
local field = 'pause ' .. args.scope
local ends = tonumber(string.match(redis.call('HGET', keys.limits, field) or '', '^%d+'))
if not ends then return 0 end
redis.call('HDEL', keys.limits, field)
redis.call('ZREM', keys.opens, args.scope)
wake(args.scope, '0')
return ends > now and 1 or 0

#!lua flags=allow-oom
-- No job of a group starts before a time. It opens by itself then.
-- keys: lanes moved parked signals gate
-- arguments:
--   scope
--   reason
--   by       who asked for it
--   ends     when it ends by itself: a due time, or "" for never
--   extend   "1" where a pause that lasts longer stays as it is
-- returns the server's time, and 1 where it is paused so, 0 where a longer pause stays
-- parts: pause_text
local text, ends = pause_text(args.reason, args.by, args.ends)
local field = 'pause ' .. args.scope
if args.extend == '1' then
  local before = tonumber(string.match(redis.call('HGET', keys.limits, field) or '', '^%d+'))
  if before and before >= ends then return { now, 0 } end
end
redis.call('HSET', keys.limits, field, text)
if ends < FOREVER then
  local earliest = redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', keys.opens, ends, args.scope)
  if not earliest or ends < tonumber(earliest) then
    -- parts: signal_due
    signal_due(string.format('%.0f', ends))
  end
else
  redis.call('ZREM', keys.opens, args.scope)
end
-- parts: take_back
take_back()
return { now, 1 }

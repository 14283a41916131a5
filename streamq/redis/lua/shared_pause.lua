#!lua flags=allow-oom
-- Nothing starts that draws from a shared limit before a time; or, with ends "now", its pause is over.
-- keys: shared shared_lease
-- arguments:
--   name
--   reason
--   by       who asked for it
--   ends     when it ends by itself: a due time; "" for never, "now" to end it
--   extend   "1" where a pause that lasts longer stays as it is
-- returns the server's time, 1 where that changes something, else 0, and the queues that draw from it
-- parts: clock due shared_queues pause_text
local field = 'pause ' .. args.name
local before = tonumber(string.match(redis.call('HGET', keys.shared, field) or '', '^%d+'))
if args.ends == 'now' then
  redis.call('HDEL', keys.shared, field)
  return { now, before and before > now and 1 or 0, shared_queues(args.name) }
end
local text, ends = pause_text(args.reason, args.by, args.ends)
if args.extend == '1' and before and before >= ends then return { now, 0, {} } end
redis.call('HSET', keys.shared, field, text)
return { now, 1, shared_queues(args.name) }

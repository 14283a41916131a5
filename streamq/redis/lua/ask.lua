#!lua flags=allow-oom
-- Something is asked of a worker, until it has ended. That it stops cannot be taken back.
-- keys: all_workers asks
-- arguments:
--   name
--   ask      empty for nothing any more
-- returns its entry and what was asked of it before; nothing when there is no such worker
local entry = redis.call('HGET', keys.all_workers, args.name)
if not entry then return false end
local before = redis.call('HGET', keys.asks, args.name) or ''
if before ~= 'stop' then
  if args.ask == '' then redis.call('HDEL', keys.asks, args.name) else redis.call('HSET', keys.asks, args.name, args.ask) end
end
return { entry, before }

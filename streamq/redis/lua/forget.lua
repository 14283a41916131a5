#!lua flags=allow-oom
-- Take a worker off the list of all, unless its name is another's by now; with what it does, and what is asked of it.
-- keys: all_workers loads asks beats
-- arguments:
--   name
--   own      text that the entry must have in it
local had = redis.call('HGET', keys.all_workers, args.name)
if had and string.find(had, args.own, 1, true) then
  redis.call('HDEL', keys.all_workers, args.name)
  redis.call('HDEL', keys.loads, args.name)
  redis.call('HDEL', keys.asks, args.name)
  redis.call('ZREM', keys.beats, args.name)
end
return 'OK'

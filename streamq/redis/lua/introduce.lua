#!lua flags=allow-oom
-- A worker claims its name, or describes itself again. The name is refused when the entry there is another's.
-- keys: all_workers
-- arguments:
--   name
--   own      text that its own entry has in it
--   entry
-- returns the other's entry when the name is taken
local had = redis.call('HGET', keys.all_workers, args.name)
if had and not string.find(had, args.own, 1, true) then return had end
redis.call('HSET', keys.all_workers, args.name, args.entry)
return false

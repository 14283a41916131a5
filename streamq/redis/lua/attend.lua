#!lua flags=allow-oom
-- A worker tells what it does now, and hears what is asked of it. One that is not on the list any more tells nothing.
-- keys: all_workers loads asks beats
-- arguments:
--   name
--   load
-- returns what is asked of it, if anything is
if redis.call('HEXISTS', keys.all_workers, args.name) == 0 then return false end
redis.call('HSET', keys.loads, args.name, args.load)
redis.call('ZINCRBY', keys.beats, 1, args.name)
return redis.call('HGET', keys.asks, args.name)

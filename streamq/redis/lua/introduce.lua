#!lua flags=allow-oom
-- A worker claims its name, or says anew who it is. The name is refused when the entry there is another's.
-- KEYS  1 all workers
-- ARGV  1 name  2 text that its own entry has in it  3 entry
-- returns the other's entry when the name is taken
local had = redis.call('HGET', KEYS[1], ARGV[1])
if had and not string.find(had, ARGV[2], 1, true) then return had end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return false

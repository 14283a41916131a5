#!lua flags=allow-oom
-- Take a worker off the list of all, unless its name is another's by now.
-- KEYS  1 all workers
-- ARGV  1 name  2 text that the entry must have in it
local had = redis.call('HGET', KEYS[1], ARGV[1])
if had and string.find(had, ARGV[2], 1, true) then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 'OK'

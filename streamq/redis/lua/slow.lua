#!lua
-- The slowest jobs of some minutes are kept, once however often they are told.
-- keys: slow
-- arguments:
--   life      milliseconds for which they are kept
--   most      how many at most
--   jobs...   for how many milliseconds each ran, and what is said of it
redis.call('ZCARD', keys.slow)
for at = first.jobs, #ARGV, 2 do redis.call('ZADD', keys.slow, ARGV[at], ARGV[at + 1]) end
local beyond = redis.call('ZCARD', keys.slow) - args.most
if beyond > 0 then redis.call('ZREM', keys.slow, unpack(redis.call('ZRANGE', keys.slow, 0, beyond - 1))) end
redis.call('PEXPIRE', keys.slow, args.life)

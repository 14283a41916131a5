#!lua flags=allow-oom
-- A process of the same host vouches for a worker that cannot beat: its counter changes by a small fraction, so that
-- whole numbers are the beats of the worker itself.
-- KEYS  1 workers
-- ARGV  1 worker  2 its counter as seen: another number means that it lives, none that it was declared lost
-- returns whether it counted
if (redis.call('ZSCORE', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('ZINCRBY', KEYS[1], 2 ^ -16, ARGV[1])
return 1

#!lua flags=allow-oom
-- A process of the same host vouches for a worker that cannot beat: its counter changes by a small fraction, so that
-- whole numbers are the beats of the worker itself.
-- keys: workers
-- arguments:
--   worker
--   seen     its counter as seen: another number means that it lives, none that it was declared lost
-- returns whether it counted
if (redis.call('ZSCORE', keys.workers, args.worker) or '') ~= args.seen then return 0 end
redis.call('ZINCRBY', keys.workers, 2 ^ -16, args.worker)
return 1

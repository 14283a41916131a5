#!lua flags=allow-oom
-- A bookkeeping write (a heartbeat, a name) that must succeed on a full server: a worker whose heartbeat is refused would
-- be declared lost in the middle of freeing memory.
-- keys: key
-- arguments:
--   command
--   rest...  its arguments after the key
return redis.call(args.command, keys.key, unpack(ARGV, first.rest))

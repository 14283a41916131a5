#!lua flags=allow-oom
-- An entry of the records of a service is deleted, and what was counted under its key.
-- keys: records records_ends
-- arguments:
--   key
--   counter
--   version    the one that it must have; "" for any
-- returns 1, or 0 where there was none; text where it has another version: that
-- parts: clock entry
-- expects: records records_ends
local kept = entry_of(args.key)
local version = kept and string.match(kept, '^%d+') or '0'
if args.version ~= '' and args.version ~= version then return version end
local counted = entry_of(args.counter)
redis.call('HDEL', keys.records, args.key, args.counter)
redis.call('ZREM', keys.records_ends, args.key, args.counter)
return (kept or counted) and 1 or 0

#!lua
-- An entry of the records of a service is written.
-- keys: records records_ends
-- arguments:
--   key
--   value       JSON
--   lifetime    ms it is kept
--   limit       at most how many entries there may be
--   version     the one that it must have: 0 where there must be none; "" for any
-- returns the server's time, the version now (text) and until when it is kept in ms; one number, the version it has
-- (text), where that is another; nothing where there is no room
-- parts: clock entry
-- expects: records records_ends
local kept = entry_of(args.key)
local version = kept and string.match(kept, '^%d+') or '0'
if args.version ~= '' and args.version ~= version then return { version } end
if not kept and not has_room(args.limit) then return false end
local new = string.format('%.0f', next_version(redis.call('HGET', keys.records, args.key)))
keep_entry(args.key, new .. '\n' .. args.value, tonumber(args.lifetime))
return { now, new, string.format('%.0f', now + args.lifetime) }

#!lua flags=no-writes,allow-oom
-- One entry of the records of a service.
-- keys: records records_ends
-- arguments:
--   key
-- returns the server's time, the entry, and until when it is kept, in ms since the epoch; the time alone where there is none
-- parts: clock entry
local kept, ends = entry_of(args.key)
return kept and { now, kept, tostring(ends) } or { now }

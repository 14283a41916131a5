#!lua flags=allow-oom
-- Those that wait for a scope have their turn: the next page of them.
-- keys: lanes signals gate
-- arguments:
--   scope
--   cursor    where to go on
-- returns where to go on, "0" when all have had it
-- parts: wake
return wake(args.scope, args.cursor)

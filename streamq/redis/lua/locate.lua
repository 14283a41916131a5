#!lua flags=allow-oom
-- Where a job is.
-- keys: lanes moved parked delayed finished
-- arguments:
--   id
-- returns "entry", now, worker ("" when waiting), ms since delivery, task, payload, headers
--      or "parked", due ("" when it is held), envelope   or "finished", record   or nothing
-- parts: located
return (located(args.id))

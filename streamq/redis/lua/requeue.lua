#!lua
-- A job that failed, was cancelled or has expired waits again, with all its attempts and none of its crashes; its history
-- stays, and it does not expire any more. Of many who ask at once one moves it, and the others are told where it is then:
-- nobody needs to look before or after.
-- keys: lanes moved parked delayed finished failures fingerprints fingerprinted cancelled expired cancels unique signals gate
-- arguments:
--   id
-- returns "moved", task, payload, headers   or "is", its state   or "key", its unique key, the job that has it
--   and its own state   or nothing when there is no such job
-- parts: clock
-- expects: lanes failures fingerprints fingerprinted cancelled expired moved cancels unique
-- parts: again
local said = again(args.id)
if said[1] == 'moved' then forget_ended({ args.id }) end
return said

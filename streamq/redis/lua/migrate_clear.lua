#!lua flags=allow-oom
-- What lies aside is removed, as it has arrived elsewhere, or will not.
-- keys: migration others...
-- arguments:
--   id       of the move
--   phase    in which it has to be
-- returns 1; 0 where that is not so
local id, phase = unpack(redis.call('HMGET', keys.migration, 'id', 'phase'))
if id ~= args.id or phase ~= args.phase then return 0 end
for at = 1, #keys.others do redis.call('UNLINK', keys.others[at]) end
return 1

#!lua flags=allow-oom
-- The queue gets its next lease of a shared limit, and those who wait for it have their turn.
-- keys: lanes signals gate
-- arguments:
--   name
--   hold    how much its running jobs may hold; "-" where nothing is said
--   start   how much may start; likewise
--   ends    until when, in ms since the epoch
--   token   the lease
-- returns 1 where something may start now, else 0
-- parts: wake
if args.token == '' then
  redis.call('HDEL', keys.leases, args.name)
  return 0
end
redis.call('HSET', keys.leases, args.name, table.concat({ args.hold, args.start, args.ends, args.token, 0, 0 }, ' '))
local used = tonumber(redis.call('HGET', keys.used, 'shared:' .. args.name) or 0)
if args.start == '0' or args.hold ~= '-' and used >= tonumber(args.hold) then return 0 end
wake('shared:' .. args.name, '0')
return 1

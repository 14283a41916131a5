#!lua flags=allow-oom
-- The queue gets its next lease of a shared limit, and those who wait for it have their turn. One that comes late is not
-- taken: another has asked since, and the limit counts on that.
-- keys: lanes signals gate
-- arguments:
--   name
--   hold     how much its running jobs may hold; "-" where nothing is said
--   start    how much may start; likewise
--   ends     until when, in ms since the epoch
--   number   the lease
--   used     "1", or "0" where nobody draws from it any more
--   take     the number of the call that has taken back the last lease
--   pause    the pause of the limit, as the queue keeps it; "" for none
--   most     the most that a job may need; "" where nothing is said
--   least    how much the job needs that waits for it
-- returns 1 where something may start now, else 0
-- parts: clock wake
local KEPT = 10000 -- ms for which it is known who took back last: no grant that is later is taken
local ends = tonumber(args.ends)
if redis.call('HGET', keys.leases, args.name .. ' takes') ~= args.take or ends <= now then return 0 end
if args.pause ~= '' then redis.call('HSET', keys.limits, 'pause shared:' .. args.name, args.pause) else redis.call('HDEL', keys.limits, 'pause shared:' .. args.name) end
local field, most = args.name .. ' most', tonumber(args.most) or math.huge
local before = tonumber(string.match(redis.call('HGET', keys.leases, field) or '', '^%d+') or nil) or math.huge
if args.most ~= '' then redis.call('HSET', keys.leases, field, args.most .. ' ' .. now) else redis.call('HDEL', keys.leases, field) end
if tonumber(args.least) > most then wake('shared:' .. args.name, '0') end -- it makes way for others
if most > before then wake('costly:' .. args.name, '0') end
if args.used == '0' then
  redis.call('HSET', keys.leases, args.name, string.format('0 0 %.0f %s:0 1 0', now + KEPT, args.number)) -- of which nothing was to be started
  return 0
end
local units = args.start == '-' and '0' or args.start
redis.call('HSET', keys.leases, args.name, table.concat({ args.hold, args.start, args.ends, args.number .. ':' .. units, 0, 0 }, ' '))
local used = tonumber(redis.call('HGET', keys.used, 'shared:' .. args.name) or 0)
if args.start == '0' or args.hold ~= '-' and used >= tonumber(args.hold) then return 0 end
wake('shared:' .. args.name, '0')
return 1

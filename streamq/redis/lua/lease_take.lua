#!lua flags=allow-oom
-- The leaser takes back what is left of the queue's lease of a shared limit, to ask for the next one.
-- keys: parked delayed gate
-- arguments:
--   name
-- returns nothing where nobody draws from it nor wants to, else how much its running jobs hold; of the lease its name,
--   how much was started and when last in ms; how much the job needs that waits for it, how much could start at once,
--   how many jobs are held; and the number of this call
-- parts: clock
local needs = args.name .. ' needs' -- what `short` told last, while anybody waits
local said = redis.call('HMGET', keys.leases, args.name, args.name .. ' short', args.name .. ' most', needs)
local used = tonumber(redis.call('HGET', keys.used, 'shared:' .. args.name) or 0)
local hold, start, ends, number, units, spent, last = string.match(said[1] or '', '^(%S+) (%S+) (%d+) (%d+):(%d+) (%d+) (%d+)$')
local waits = redis.call('EXISTS', keys.waits .. 'shared:' .. args.name) == 1
local least, most = string.match(said[2] or waits and said[4] or '', '^(%d+) (%d+)$')
if said[2] then redis.call('HSET', keys.leases, needs, said[2]) elseif said[4] and not waits then redis.call('HDEL', keys.leases, needs) end
local costly = redis.call('EXISTS', keys.waits .. 'costly:' .. args.name) == 1
if not least and not waits and not costly and used == 0 and (not hold or units == '0' and spent == '1') then
  if not hold or tonumber(ends) < now then redis.call('HDEL', keys.leases, args.name, args.name .. ' takes', args.name .. ' most', needs) end
  return {}
end
if hold then -- until the next grant no more than now: that is what the limit is told
  local kept = hold == '-' and '-' or string.format('%d', math.min(tonumber(hold), used))
  redis.call('HSET', keys.leases, args.name, string.format('%s %s %s %s:0 0 0', kept, start == '-' and '-' or '0', ends, number))
end
redis.call('HDEL', keys.leases, args.name .. ' short')
local takes = redis.call('HINCRBY', keys.leases, args.name .. ' takes', 1) -- of several who ask at once, the last is granted
local held = redis.call('HLEN', keys.parked) - redis.call('ZCARD', keys.delayed)
local token = number and number .. ':' .. units or '0:0'
local needed = tonumber(least) or waits and 1 or costly and (string.match(said[3] or '', '^%d+') or 0) + 1 or 0
return { used, token, spent or '0', last or '0', needed, tonumber(most) or 0, held, takes }

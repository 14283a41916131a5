#!lua flags=allow-oom
-- The leaser takes back what is left of the queue's lease of a shared limit, to ask for the next one.
-- keys: parked delayed gate
-- arguments:
--   name
-- returns nothing where nobody draws from it nor wants to, else how much its running jobs hold; of the lease its name,
--   how much was started and when last in ms; how much the job needs that waits for it, how much could start at once,
--   and how many jobs are held
local said = redis.call('HMGET', keys.leases, args.name, args.name .. ' short')
local used = tonumber(redis.call('HGET', keys.used, 'shared:' .. args.name) or 0)
local hold, start, token, spent, last = string.match(said[1] or '', '^(%S+) (%S+) %d+ (%S+) (%d+) (%d+)$')
local least, most = string.match(said[2] or '', '^(%d+) (%d+)$')
local waits = redis.call('EXISTS', keys.waits .. 'shared:' .. args.name) == 1
if not (hold or least or waits or used > 0) then return {} end
if hold then redis.call('HSET', keys.leases, args.name, hold .. (start == '-' and ' -' or ' 0') .. ' 0 - 0 0') end
redis.call('HDEL', keys.leases, args.name .. ' short')
local held = redis.call('HLEN', keys.parked) - redis.call('ZCARD', keys.delayed)
return { used, token or '-', spent or '0', last or '0', tonumber(least) or (waits and 1 or 0), tonumber(most) or 0, held }

#!lua flags=allow-oom
-- One busy worker waits until it is idle, on behalf of a queue's suspects; all others fetch on.
-- keys: lanes alone_claim moved signals gate
-- arguments:
--   worker
--   lasts    ms after which the claim expires; 0 gives it up
-- returns 1 when a suspect waits that may start and the claim is this worker's, else 0
-- parts: open_suspect write_leases
local holder = redis.pcall('GET', keys.alone_claim) -- of another type, it is nobody's, and SET replaces it
local mine = holder == args.worker
if type(holder) == 'string' and not mine then return 0 end
local has_one = args.lasts ~= '0' and has_open_suspect()
write_leases(1)
if has_one then
  redis.call('SET', keys.alone_claim, args.worker, 'PX', args.lasts)
  return 1
end
if mine then redis.call('DEL', keys.alone_claim) end
return 0

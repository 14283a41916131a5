#!lua flags=allow-oom
-- One busy worker waits until it is idle, on behalf of a queue's suspects; all others fetch on.
-- keys: alone alone_claim
-- arguments:
--   worker
--   lasts    ms after which the claim expires; 0 gives it up
-- returns 1 when a suspect waits and the claim is this worker's, else 0
local holder = redis.pcall('GET', keys.alone_claim) -- of another type, it is nobody's, and SET replaces it
local mine = holder == args.worker
if type(holder) == 'string' and not mine then return 0 end
if args.lasts ~= '0' and redis.call('XLEN', keys.alone) > redis.call('XPENDING', keys.alone, GROUP)[1] then
  redis.call('SET', keys.alone_claim, args.worker, 'PX', args.lasts)
  return 1
end
if mine then redis.call('DEL', keys.alone_claim) end
return 0

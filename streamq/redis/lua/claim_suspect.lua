#!lua flags=allow-oom
-- One busy worker waits until it is idle, on behalf of a queue's suspects; all others fetch on.
-- KEYS  1 alone  2 claim
-- ARGV  1 group  2 worker  3 for how many ms; 0 gives the claim up
-- returns 1 when a suspect waits and the claim is this worker's, else 0
local holder = redis.pcall('GET', KEYS[2]) -- of another type, it is nobody's, and SET replaces it
local mine = holder == ARGV[2]
if type(holder) == 'string' and not mine then return 0 end
if ARGV[3] ~= '0' and redis.call('XLEN', KEYS[1]) > redis.call('XPENDING', KEYS[1], ARGV[1])[1] then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  return 1
end
if mine then redis.call('DEL', KEYS[2]) end
return 0

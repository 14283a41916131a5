#!lua flags=allow-oom
-- A worker's heartbeat, which must succeed on a full server: its counter increases. The signals of requests to end jobs
-- may be lost, and those of pauses, so it is told whether there are any; and whether anything lies in the queue, which
-- another program may have put there. One that has many queues also renews its seat in the upkeep by it.
-- keys: lanes workers cancels steering retention seats...
-- arguments:
--   worker
--   lasts    ms for which its seat is renewed; empty when it renews that otherwise
-- returns its number of beats, how many active jobs are to end, and whether anything was told to the queue, or it has
--   lanes of priorities: how many of these keys are there; how many entries lie in the lanes that all have; and the number
--   of its seat, 0 for none, -1 when a better one is free
local beats, asked = redis.call('ZINCRBY', keys.workers, 1, args.worker), 0
local steered = redis.pcall('EXISTS', keys.cancels, keys.steering, keys.retention, unpack(KEYS, lane.always + 1, #keys.lanes))
if type(steered) ~= 'number' then steered = 0 end -- a right that is missing stops no beat
if steered > 0 and redis.call('EXISTS', keys.cancels) == 1 then
  asked = redis.pcall('HLEN', keys.cancels) -- of another type, it stops no beat
  asked, steered = type(asked) == 'number' and asked or 0, steered - 1
end
local lying, seat = 0, 0
for _, number in ipairs({ lane.ready, lane.alone }) do
  local entries = redis.pcall('XLEN', keys.lanes[number])
  lying = lying + (type(entries) == 'number' and entries or 0)
end
for number = 1, args.lasts == '' and 0 or #keys.seats do
  local holder = redis.pcall('GET', keys.seats[number])
  if not holder then seat = -1 break end
  if holder == args.worker then
    redis.pcall('PEXPIRE', keys.seats[number], args.lasts)
    seat = number
    break
  end
end
return { beats, asked, steered, lying, seat }

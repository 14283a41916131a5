#!lua flags=no-writes,allow-oom
-- What was told to a queue, and which of its lanes are there.
-- keys: lanes steering retention
-- returns the server's time, the numbers of the lanes of priorities that are there, and names and values of what was told,
-- and of what of its retention
-- parts: clock made
local there = {}
for number = lane.always + 1, #keys.lanes do
  if is_made(number) then there[#there + 1] = number end
end
return { now, there, redis.call('HGETALL', keys.steering), redis.call('HGETALL', keys.retention) }

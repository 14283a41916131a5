#!lua flags=allow-oom
-- Take or renew the best seat of a queue's upkeep that is free, and leave a lesser one. A seat expires by itself.
-- Who has a seat is told of each change, and of each that comes to stand by: there is one more to watch.
-- KEYS  1 the list of workers  2 signals (a channel)  3… seats, the best first
-- ARGV  1 who claims  2 ms the claim lasts  3 whether it claims for the first time ("1")
-- returns which seat it has now (0 none), and how many workers there are
local seat, news = 0, ARGV[3] == '1'
for i = 3, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if seat == 0 and (not holder or holder == ARGV[1]) then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    seat, news = i - 2, news or not holder
    if holder then break end
  elseif holder == ARGV[1] then
    redis.call('DEL', KEYS[i])
  end
end
if news then redis.pcall('PUBLISH', KEYS[2], 'upkeep\n\n') end
return { seat, redis.call('ZCARD', KEYS[1]) }

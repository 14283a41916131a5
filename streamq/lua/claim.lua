#!lua flags=allow-oom
-- Take or renew the best seat of a queue's upkeep that is free, and leave a lesser one. A seat expires by itself.
-- KEYS  1 the list of workers  2… seats, the best first
-- ARGV  1 who claims  2 ms the claim lasts
-- returns which seat it has now (0 none), and how many workers there are
local seat = 0
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if seat == 0 and (not holder or holder == ARGV[1]) then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    seat = i - 1
    if holder then break end
  elseif holder == ARGV[1] then
    redis.call('DEL', KEYS[i])
  end
end
return { seat, redis.call('ZCARD', KEYS[1]) }

#!lua flags=allow-oom
-- Take or renew the best seat of a queue's upkeep that is free, and leave a lesser one. A seat expires by itself; who
-- stands by makes sure that it is soon, as its holder may be lost and have claimed it for long.
-- Who has a seat is told of each change, and of each that comes to stand by: there is one more to watch.
-- KEYS  1 the list of workers  2 signals (a channel)  3 who looked last, of those who stand by  4… seats, the best first
-- ARGV  1 who claims  2 ms the claim lasts  3 whether it claims for the first time ("1")
--       4 ms in which one look is enough, of all who stand by
-- returns which seat it has now (0 none), how many workers there are, and 1 when somebody else stands by; for one who
-- does so itself, when another has looked just now
local seat, news = 0, ARGV[3] == '1'
for i = 4, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if seat == 0 and (not holder or holder == ARGV[1]) then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    seat, news = i - 3, news or not holder
    if holder then break end
  elseif holder == ARGV[1] then
    redis.call('DEL', KEYS[i])
  end
end
if news then redis.pcall('PUBLISH', KEYS[2], 'upkeep\n\n') end

local looked, remembered = redis.call('GET', KEYS[3]), 30 * ARGV[4]
local other = looked and looked ~= ARGV[1]
if seat == 0 then
  other = other and redis.call('PTTL', KEYS[3]) > remembered - ARGV[4]
  if not other then redis.call('SET', KEYS[3], ARGV[1], 'PX', remembered) end
  for i = 4, #KEYS do
    if redis.call('PTTL', KEYS[i]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  end
end
return { seat, redis.call('ZCARD', KEYS[1]), other and 1 or 0 }

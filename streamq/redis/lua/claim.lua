#!lua flags=allow-oom
-- Take or renew the best seat of a queue's upkeep that is free, and leave a lesser one. A seat expires by itself; who
-- stands by makes sure that it is soon, as its holder may be lost and have claimed it for long.
-- Who has a seat is told of each change, and of each that comes to stand by: there is one more to watch.
-- keys: workers signals look seats...
-- arguments:
--   who      the process that claims
--   lasts    ms after which the claim expires
--   first    "1" when it claims for the first time
--   within   ms in which one of all who stand by looks, which is enough
-- returns which seat it has now (0 none), how many workers there are, and 1 when somebody else stands by; for one who
-- does so itself, when another has looked just now
local seat, news = 0, args.first == '1'
for number = 1, #keys.seats do -- the best first
  local holder = redis.call('GET', keys.seats[number])
  if seat == 0 and (not holder or holder == args.who) then
    redis.call('SET', keys.seats[number], args.who, 'PX', args.lasts)
    seat, news = number, news or not holder
    if holder then break end
  elseif holder == args.who then
    redis.call('DEL', keys.seats[number])
  end
end
-- parts: publish
if news then redis.pcall(PUBLISH, keys.signals, 'upkeep\n\n') end

local looked, remembered = redis.call('GET', keys.look), 30 * args.within
local other = looked and looked ~= args.who
if seat == 0 then
  other = other and redis.call('PTTL', keys.look) > remembered - args.within
  if not other then redis.call('SET', keys.look, args.who, 'PX', remembered) end
  for number = 1, #keys.seats do
    if redis.call('PTTL', keys.seats[number]) > tonumber(args.lasts) then
      redis.call('PEXPIRE', keys.seats[number], args.lasts)
    end
  end
end
return { seat, redis.call('ZCARD', keys.workers), other and 1 or 0 }

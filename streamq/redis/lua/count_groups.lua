#!lua
-- What a worker's attempts came to since its last call is added by group to the minute and to the hour, once however often
-- the call is repeated. Which groups are told apart is decided for an hour: a series has no holes within it. (Without
-- `allow-oom`: on a full server they wait, and the outcomes do not.)
-- keys: minute hour counted
-- arguments:
--   number        of the call, which grows
--   minute_life   milliseconds for which a minute is kept
--   hour_life     milliseconds for which an hour is kept
--   number_life   milliseconds for which the number is remembered
--   most          groups at most that an hour tells apart; what is of others is added up
--   groups...     name of each, `*` for all others, and what is added of it: a JSON object of numbers
-- returns the server's time
-- parts: clock sums
if (tonumber(redis.call('GET', keys.counted) or nil) or 0) >= tonumber(args.number) then return now end
redis.call('HLEN', keys.minute)
local known = redis.call('HLEN', keys.hour) - redis.call('HEXISTS', keys.hour, '*')
for at = first.groups, #ARGV, 2 do
  if ARGV[at] ~= '*' and redis.call('HEXISTS', keys.hour, ARGV[at]) == 0 then
    if known >= tonumber(args.most) then ARGV[at] = '*' else known = known + 1 end
  end
end
redis.call('SET', keys.counted, args.number, 'PX', args.number_life)
add_sums(keys.minute, first.groups, args.most + 1, args.minute_life)
add_sums(keys.hour, first.groups, args.most + 1, args.hour_life)
return now

#!lua
-- What a process of a service counted since its last call is added to its tallies of the minute and of the hour, and
-- to their totals, once however often the call is repeated.
-- keys: minute hour totals counted
-- arguments:
--   number        of the call, which grows
--   minute_life   milliseconds for which a minute is kept
--   hour_life     milliseconds for which an hour is kept
--   number_life   milliseconds for which the number is remembered
--   most          subjects at most that a minute or an hour tells apart; what is of others is added up
--   subjects...   name of each, `*` for all others, and what is added of it: a JSON object of numbers
-- returns the server's time
-- parts: clock sums
if (tonumber(redis.call('GET', keys.counted) or nil) or 0) >= tonumber(args.number) then return now end
redis.call('HLEN', keys.minute)
redis.call('HLEN', keys.hour)
redis.call('HLEN', keys.totals)
redis.call('SET', keys.counted, args.number, 'PX', args.number_life)
add_sums(keys.minute, first.subjects, args.most + 1, args.minute_life)
add_sums(keys.hour, first.subjects, args.most + 1, args.hour_life)
add_sums(keys.totals, first.subjects, args.most + 1, args.hour_life)
return now

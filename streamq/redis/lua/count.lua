#!lua
-- What a worker's attempts came to since its last call is added to the statistics of the minute and of the hour, and to
-- the totals of the queue, whatever the task, once however often the call is repeated. (Without `allow-oom`: on a full
-- server they wait, and the outcomes do not.)
-- keys: lanes minute hour totals counted
-- arguments:
--   number        of the call, which grows
--   minute_life   milliseconds for which a minute is kept
--   hour_life     milliseconds for which an hour is kept
--   number_life   milliseconds for which the number is remembered
--   most          tasks at most that a minute or an hour tells apart; what is of others is added up
--   tasks...      name of each, `*` for all others, and what is added of it: a JSON object of numbers
-- returns the server's time; the field `#` says how many jobs waited at most
-- parts: clock waiting sums
if (tonumber(redis.call('GET', keys.counted) or nil) or 0) >= tonumber(args.number) then return now end
local waiting = 0
for number = 1, #keys.lanes do waiting = waiting + waiting_in(number) end

local function add(key, life)
  local highest = math.max(waiting, number_in(tonumber(redis.call('HGET', key, '#') or nil)) or 0)
  redis.call('HSET', key, '#', string.format('%.0f', highest))
  add_sums(key, first.tasks, args.most + 2, life) -- beside the tasks: all others, and how many wait
end

redis.call('HLEN', keys.minute)
redis.call('HLEN', keys.hour)
redis.call('HLEN', keys.totals)
redis.call('SET', keys.counted, args.number, 'PX', args.number_life)
add(keys.minute, args.minute_life)
add(keys.hour, args.hour_life)
add_sums(keys.totals, first.tasks, 0, args.hour_life)
return now

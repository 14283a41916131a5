#!lua flags=allow-oom
-- Records of a task that has a retention of its own: some are new, and those past its number or its age are forgotten.
-- keys: finished completed failures fingerprints fingerprinted cancelled expired kept
-- arguments:
--   completed   "1" for jobs that completed, "" for those that ended otherwise
--   keep        how many records are kept ("" for any number)
--   age         ms each is kept ("" for ever)
--   limit       at most how many are forgotten, beside as many as are new
--   ids...      of the new ones
-- returns how many are forgotten, and 1 when there may be more
-- parts: clock each
-- expects: finished completed failures fingerprints fingerprinted cancelled expired kept
local new = {}
for at = first.ids, #ARGV do new[#new + 1], new[#new + 2] = now, ARGV[at] end
each('ZADD', keys.kept, new)
local room, old = tonumber(args.limit) + #new / 2, {}
local over = args.keep == '' and 0 or redis.call('ZCARD', keys.kept) - tonumber(args.keep)
if over > 0 then
  old = redis.call('ZRANGE', keys.kept, 0, math.min(over, room) - 1)
elseif args.age ~= '' then
  old = redis.call('ZRANGE', keys.kept, '-inf', now - tonumber(args.age), 'BYSCORE', 'LIMIT', 0, room)
end
each('ZREM', keys.kept, old)
local gone = {}
if args.completed == '1' then
  gone = old
  -- Ids of records that are gone count for the queue's number, until it is their turn; in a short list they need not.
  local is_short = #old > 0 and redis.call('LLEN', keys.completed) <= 1000
  for _, id in ipairs(is_short and old or {}) do redis.call('LREM', keys.completed, 1, id) end
else -- one that runs again by now, or has completed then, is none of these
  for _, index in ipairs({ keys.failures, keys.cancelled, keys.expired }) do
    local mine = {}
    for _, id in ipairs(old) do
      if redis.call('ZREM', index, id) == 1 then mine[#mine + 1] = id end
    end
    for _, id in ipairs(mine) do gone[#gone + 1] = id end
    if index == keys.failures then
      -- parts: failed_no_more
      failed_no_more(mine)
    end
  end
end
each('HDEL', keys.finished, gone)
return { #gone, #old == room and 1 or 0 }

#!lua flags=allow-oom
-- Records of jobs that ended otherwise than completed, past their number or their age, are forgotten, oldest first.
-- keys: finished fingerprints fingerprinted failure_kinds index
-- arguments:
--   age      ms a record is kept
--   limit    at most how many
--   keep     how many records are kept
-- returns how many
-- parts: clock each failed_no_more
-- expects: finished fingerprints fingerprinted failure_kinds
local over = math.min(redis.call('ZCARD', keys.index) - tonumber(args.keep), tonumber(args.limit))
local old = over > 0 and redis.call('ZRANGE', keys.index, 0, over - 1)
  or redis.call('ZRANGE', keys.index, '-inf', now - tonumber(args.age), 'BYSCORE', 'LIMIT', 0, args.limit)
each('HDEL', keys.finished, old)
each('ZREM', keys.index, old)
failed_no_more(old)
if redis.call('EXISTS', keys.failure_kinds) == 1 then
  -- parts: failure_kinds
  tidy_kinds(now - tonumber(args.age))
end
return #old

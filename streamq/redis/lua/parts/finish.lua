-- Write the records of completed jobs, and forget the oldest past `keep`. At most as many as were written and 1,000
-- more, so that a call is bounded when `keep` was lowered; the rest goes with the next calls, and with prune.lua.
-- `records` alternates id and record, all of it or a part; at most 1,000 ids, as `unpack` is bounded.
-- parts: each
local function finish(keep, ids, records, from, to)
  if keep == 0 or #ids == 0 then return end
  each('HSET', keys.finished, records, from, to)
  local over = math.min(redis.call('RPUSH', keys.completed, unpack(ids)) - keep, #ids + 1000)
  if over > 0 then each('HDEL', keys.finished, redis.call('LPOP', keys.completed, over)) end
end

-- Write the records of jobs that ended otherwise than completed, and forget the oldest as `finish` does. Their order is a
-- sorted set by the time of their end, as any of them may be requeued or deleted: `index`, the key that has it. Whoever
-- calls need not know what an operator has told the queue, so `keep` is what counts where nothing was.
-- Returns the ids of those that are forgotten, and whether any record was written.
-- parts: clock each failures_kept
local function bury(index, keep, ids, records, from, to)
  keep = failures_kept(keep)
  if keep == 0 or #ids == 0 then return {}, false end
  each('HSET', keys.finished, records, from, to)
  -- Behind the last one, also within a millisecond; not behind what a clock that was set back has left, or strangers.
  local scored = {}
  local last = redis.call('ZRANGE', index, '(' .. now + 1000, now, 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
  local first = math.max(now, tonumber(last[2] or now))
  for i, id in ipairs(ids) do
    scored[2 * i - 1] = first + i / 1024
    scored[2 * i] = id
  end
  each('ZADD', index, scored)
  local over = redis.call('ZCARD', index) - keep
  if over <= 0 then return {}, true end
  local old = redis.call('ZRANGE', index, 0, math.min(over, #ids + 1000) - 1)
  each('HDEL', keys.finished, old)
  each('ZREM', index, old)
  return old, true
end

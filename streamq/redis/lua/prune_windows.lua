#!lua flags=allow-oom
-- Unique keys whose windows have ended are free, and forgotten.
-- keys: unique windows
-- arguments:
--   limit    at most how many
-- returns how many, and how many windows are left
-- parts: clock standing
-- expects: unique
local over = redis.call('ZRANGE', keys.windows, '-inf', now, 'BYSCORE', 'LIMIT', 0, args.limit)
for _, key in ipairs(over) do
  local _, taken = standing_of(key)
  local ends = tonumber(taken)
  if ends and ends <= now then redis.call('HDEL', keys.unique, key) end
  if not ends or ends <= now then
    redis.call('ZREM', keys.windows, key)
  else
    redis.call('ZADD', keys.windows, ends, key) -- another window of the same key has begun
  end
end
return { #over, redis.call('ZCARD', keys.windows) }

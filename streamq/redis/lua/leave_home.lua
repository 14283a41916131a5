#!lua flags=allow-oom
-- Groups and keys of which no job is left in a partition that is their home no more, unless one has come meanwhile.
-- keys: staying
-- arguments:
--   fields...   each, and what stood there when it was looked for
-- returns how many have left, and how many stay
local left = 0
for i = first.fields, #ARGV, 2 do
  if redis.call('HGET', keys.staying, ARGV[i]) == ARGV[i + 1] then left = left + redis.call('HDEL', keys.staying, ARGV[i]) end
end
return { left, redis.call('HLEN', keys.staying) - redis.call('HEXISTS', keys.staying, '') }

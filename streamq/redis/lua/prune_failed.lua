#!lua flags=allow-oom
-- Records of failed jobs past their number or their age are forgotten, oldest first.
-- KEYS  1 finished  2 failures
-- ARGV  1 ms a record is kept  2 at most how many  3 how many records are kept
-- returns how many
expect('HLEN', KEYS[1])
local over = math.min(redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3]), tonumber(ARGV[2]))
local old = over > 0 and redis.call('ZRANGE', KEYS[2], 0, over - 1)
  or redis.call('ZRANGE', KEYS[2], '-inf', now - tonumber(ARGV[1]), 'BYSCORE', 'LIMIT', 0, ARGV[2])
each('HDEL', KEYS[1], old)
each('ZREM', KEYS[2], old)
return #old

#!lua flags=allow-oom
-- Finished records past their age are forgotten, oldest first; and what the version before kept beside them.
-- KEYS  1 finished  2 completed, then keys that are no longer used
-- ARGV  1 ms a record is kept  2 at most how many
-- returns how many
redis.call('UNLINK', unpack(KEYS, 3))
local ids = redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)
if #ids == 0 then return 0 end
local records, old = redis.call('HMGET', KEYS[1], unpack(ids)), 0
for i = 1, #ids do
  local took = records[i] and tonumber(string.match(records[i], '^%a(%d+)'))
  if took and age(ids[i]) - took < tonumber(ARGV[1]) then break end
  old = i
end
if old > 0 then each('HDEL', KEYS[1], redis.call('LPOP', KEYS[2], old)) end
return old

#!lua flags=allow-oom
-- Failed jobs of the version before, which kept their ids in a list, come into the sorted set.
-- KEYS  1 finished  2 failures  3 the list
-- ARGV  1 at most how many
-- returns how many were taken off the list
expect('HLEN', KEYS[1])
expect('ZCARD', KEYS[2])
local room = 1000000 -- bytes of records to read, or one record
for taken = 0, ARGV[1] - 1 do
  local id = room > 0 and redis.call('LPOP', KEYS[3])
  if not id then return taken end
  local record = redis.call('HGET', KEYS[1], id)
  local took = record and string.match(record, '^f(%d+)')
  if took then
    room = room - #record
    redis.call('ZADD', KEYS[2], 'NX', (tonumber(string.match(id, '^%d+')) or 0) + took, id)
  end
end
return tonumber(ARGV[1])

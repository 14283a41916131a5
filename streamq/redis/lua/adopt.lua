#!lua flags=allow-oom
-- Failed jobs of the version before, which kept their ids in a list, come into the sorted set.
-- keys: finished failures failed
-- arguments:
--   limit    at most how many
-- returns how many were taken off the list
-- parts: record_times
-- expects: finished failures
local room = 1000000 -- bytes of records to read, or one record
for taken = 0, args.limit - 1 do
  local id = room > 0 and redis.call('LPOP', keys.failed)
  if not id then return taken end
  local record = redis.call('HGET', keys.finished, id)
  if record and string.sub(record, 1, 1) == mark.failed then
    room = room - #record
    redis.call('ZADD', keys.failures, 'NX', ended_at(id, record) or 0, id)
  end
end
return tonumber(args.limit)

#!lua flags=allow-oom
-- Results whose time is over are taken out of their records, which stay.
-- keys: finished results
-- arguments:
--   limit    at most how many
--   kept     how many times of results are kept: of those beyond, the results go with their records
-- returns how many were looked at
-- parts: clock budget
-- expects: finished
local ids, bytes, looked = redis.call('ZRANGE', keys.results, '-inf', now, 'BYSCORE', 'LIMIT', 0, args.limit), 0, 0
for _, id in ipairs(ids) do
  bytes = bytes + redis.call('HSTRLEN', keys.finished, id)
  if looked > 0 and bytes > BUDGET then break end
  looked = looked + 1
  local record = redis.call('HGET', keys.finished, id) or ''
  local result = string.sub(record, 1, 1) == mark.completed and 0
  for _ = 1, 3 do result = result and string.find(record, '\n', result + 1, true) end
  local payload = result and string.find(record, '\n', result + 1, true)
  if payload then redis.call('HSET', keys.finished, id, string.sub(record, 1, result) .. string.sub(record, payload)) end
  redis.call('ZREM', keys.results, id)
end
local over = redis.call('ZCARD', keys.results) - tonumber(args.kept)
if over > 0 then
  -- parts: each
  each('ZREM', keys.results, redis.call('ZRANGE', keys.results, -math.min(over, args.limit), -1))
end
return looked

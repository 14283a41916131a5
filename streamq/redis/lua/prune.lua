#!lua flags=allow-oom
-- Records of completed jobs past their number or their age are forgotten, oldest first; what the version before kept
-- beside them; and requests for the end of jobs that had ended already.
-- keys: lanes moved finished completed cancels events wake
-- arguments:
--   age      ms a record is kept
--   limit    at most how many are looked at
--   keep     how many records are kept
-- returns how many, and 1 when there may be more
-- parts: each
redis.call('UNLINK', keys.events, keys.wake)
-- expects: finished completed
if redis.call('HLEN', keys.cancels) > 0 then
  -- parts: places
  local late = {}
  for _, id in ipairs(redis.call('HRANDFIELD', keys.cancels, args.limit)) do
    if not entry_of(id) then late[#late + 1] = id end
  end
  each('HDEL', keys.cancels, late)
end
local over = math.min(redis.call('LLEN', keys.completed) - tonumber(args.keep), tonumber(args.limit))
if over > 0 then
  each('HDEL', keys.finished, redis.call('LPOP', keys.completed, over))
  return { over, 1 }
end

-- parts: clock budget birth record_times
-- One by one, as most often there is nothing to do: then one record is read, however large they are.
local keep, ids = tonumber(args.age), redis.call('LRANGE', keys.completed, 0, args.limit - 1)
local old, first, passed, bytes, looked = {}, 0, 0, 0, 0
for i, id in ipairs(ids) do
  local size = redis.call('HSTRLEN', keys.finished, id)
  bytes = bytes + size
  if i > 1 and bytes > BUDGET then break end
  local ago = size == 0 and keep or now - (ended_at(id, redis.call('HGET', keys.finished, id)) or birth_of(id) or 0)
  looked = i
  if ago >= keep then
    old[#old + 1] = id
    if passed == 0 then first = first + 1 else redis.call('LREM', keys.completed, 1, id) end
  elseif ago < 0 then
    passed = passed + 1 -- the clock was set back: it is kept, and those behind it do not wait for it
  else
    bytes = 0
    break
  end
end
if first > 0 then redis.call('LPOP', keys.completed, first) end
each('HDEL', keys.finished, old)
return { #old, #old > 0 and (bytes > BUDGET or looked == tonumber(args.limit)) and 1 or 0 }

#!lua flags=allow-oom
-- Records of completed jobs past their number or their age are forgotten, oldest first; and what the version before kept
-- beside them.
-- KEYS  1 finished  2 completed, then keys that are no longer used
-- ARGV  1 ms a record is kept  2 at most how many are looked at  3 how many records are kept
-- returns how many, and 1 when there may be more
redis.call('UNLINK', unpack(KEYS, 3))
expect('HLEN', KEYS[1])
local over = math.min(redis.call('LLEN', KEYS[2]) - tonumber(ARGV[3]), tonumber(ARGV[2]))
if over > 0 then
  each('HDEL', KEYS[1], redis.call('LPOP', KEYS[2], over))
  return { over, 1 }
end

-- Milliseconds since a record was written, by what it says itself; before 0 when that is still to come.
local function finished_ago(id, record)
  return now - (tonumber(string.match(id, '^%d+')) or 0) - (tonumber(string.match(record, '^%a(%-?%d+)')) or 0)
end

-- One by one, as most often there is nothing to do: then one record is read, however large they are.
local keep, ids = tonumber(ARGV[1]), redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)
local old, first, passed, bytes, looked = {}, 0, 0, 0, 0
for i, id in ipairs(ids) do
  local size = redis.call('HSTRLEN', KEYS[1], id)
  bytes = bytes + size
  if i > 1 and bytes > BUDGET then break end
  local ago = size == 0 and keep or finished_ago(id, redis.call('HGET', KEYS[1], id))
  looked = i
  if ago >= keep then
    old[#old + 1] = id
    if passed == 0 then first = first + 1 else redis.call('LREM', KEYS[2], 1, id) end
  elseif ago < 0 then
    passed = passed + 1 -- the clock was set back: it is kept, and those behind it do not wait for it
  else
    bytes = 0
    break
  end
end
if first > 0 then redis.call('LPOP', KEYS[2], first) end
each('HDEL', KEYS[1], old)
return { #old, #old > 0 and (bytes > BUDGET or looked == tonumber(ARGV[2])) and 1 or 0 }

#!lua flags=allow-oom
-- A worker gives jobs back: they wait again, at the end of the line, and nothing is charged.
-- keys: lanes moved
-- arguments:
--   jobs...   lane and entry of each
-- returns how many were still pending, and how many were looked at: the others are for the next call
-- parts: budget read named add placed expect_lanes
expect_lanes()
redis.call('HLEN', keys.moved)
local back, bytes, seen = 0, 0, 0
while bytes < BUDGET and first.jobs + 2 * seen < #ARGV do
  local lane, entry = tonumber(ARGV[first.jobs + 2 * seen]), ARGV[first.jobs + 1 + 2 * seen]
  seen = seen + 1
  local task, payload, headers = read(keys.lanes[lane], entry)
  if redis.call('XACK', keys.lanes[lane], GROUP, entry) == 1 and task then
    local kept, id = named(headers, entry)
    placed(id, lane, add(keys.lanes[lane], task, payload, kept))
    redis.call('XDEL', keys.lanes[lane], entry)
    back, bytes = back + 1, bytes + #task + #payload + #headers
  end
end
return { back, seen }

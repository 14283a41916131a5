#!lua flags=allow-oom
-- A worker gives jobs back: they wait again, at the end of the line, and nothing is charged.
-- KEYS  1 ready  2 alone  3 moved
-- ARGV  1 group, then lane and entry of each
-- returns how many it still held, and how many were looked at: the others are for the next call
expect('XLEN', KEYS[1], KEYS[2])
expect('HLEN', KEYS[3])
local back, bytes, seen = 0, 0, 0
while bytes < BUDGET and 2 * seen + 3 <= #ARGV do
  local lane, entry = tonumber(ARGV[2 * seen + 2]), ARGV[2 * seen + 3]
  seen = seen + 1
  local task, payload, headers = read(KEYS[lane], entry)
  if redis.call('XACK', KEYS[lane], ARGV[1], entry) == 1 and task then
    local kept, id = named(headers, entry)
    redis.call('HSET', KEYS[3], id, lane .. ' ' .. add(KEYS[lane], task, payload, kept))
    redis.call('XDEL', KEYS[lane], entry)
    back, bytes = back + 1, bytes + #task + #payload + #headers
  end
end
return { back, seen }

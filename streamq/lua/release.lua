#!lua flags=allow-oom
-- A worker gives jobs back: they wait again, at the end of the line, and nothing is charged.
-- KEYS  1 ready  2 alone  3 moved
-- ARGV  1 group, then lane and entry of each
-- returns how many it still held
local back = 0
for i = 2, #ARGV, 2 do
  local lane, entry = tonumber(ARGV[i]), ARGV[i + 1]
  local task, payload, headers = read(KEYS[lane], entry)
  if redis.call('XACK', KEYS[lane], ARGV[1], entry) == 1 and task then
    local kept, id = named(headers, entry)
    redis.call('HSET', KEYS[3], id, lane .. ' ' .. add(KEYS[lane], task, payload, kept))
    redis.call('XDEL', KEYS[lane], entry)
    back = back + 1
  end
end
return back

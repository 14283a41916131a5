#!lua flags=allow-oom
-- Delayed jobs that are due become waiting, in the order of their due times.
-- KEYS  1 ready  2 parked  3 delayed  4 moved
-- ARGV  1 at most how many
-- returns the server's time, how many, microseconds until the next is due (-1 when none waits)
local due = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
local moved = {}
if #due > 0 then
  local envelopes = redis.call('HMGET', KEYS[2], unpack(due))
  for i, id in ipairs(due) do
    if envelopes[i] then
      local task, headers, payload = unseal(envelopes[i])
      moved[#moved + 1] = id
      moved[#moved + 1] = '1 ' .. add(KEYS[1], task, payload, headers)
    end
  end
  each('HSET', KEYS[4], moved)
  each('HDEL', KEYS[2], due)
  each('ZREM', KEYS[3], due)
end
local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return { now, #moved / 2, #next == 0 and -1 or math.max(0, next[2] * 1000 - (clock[1] * 1000000 + clock[2])) }

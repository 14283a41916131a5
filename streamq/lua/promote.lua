#!lua flags=allow-oom
-- Delayed jobs that are due become waiting, in the order of their due times. What is due and has no envelope is forgotten.
-- KEYS  1 ready  2 parked  3 delayed  4 moved
-- ARGV  1 at most how many
-- returns the server's time, how many, microseconds until the next is due (-1 when none waits), how many had no envelope
expect('XLEN', KEYS[1])
expect('HLEN', KEYS[2], KEYS[4])
local due = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
local moved, taken, bytes, promoted = {}, {}, 0, 0

-- Ids from `from` on whose envelopes fit into the budget, at least one, and the envelopes.
local function page(from)
  local ids = {}
  repeat
    ids[#ids + 1] = due[from + #ids]
    bytes = bytes + redis.call('HSTRLEN', KEYS[2], ids[#ids])
  until bytes >= BUDGET or from + #ids > #due or #ids == 100
  return ids, redis.call('HMGET', KEYS[2], unpack(ids))
end

while #taken < #due and bytes < BUDGET do
  local ids, envelopes = page(#taken + 1)
  for i, id in ipairs(ids) do
    taken[#taken + 1] = id
    if envelopes[i] then
      local task, headers, payload = unseal(envelopes[i])
      local kept, named_id = renamed(headers, id)
      local entry = add(KEYS[1], task, payload, kept)
      promoted = promoted + 1
      if named_id then
        moved[#moved + 1] = named_id
        moved[#moved + 1] = '1 ' .. entry
      end
    end
  end
end
each('HSET', KEYS[4], moved)
each('HDEL', KEYS[2], taken)
each('ZREM', KEYS[3], taken)

local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local wait = #next == 0 and -1 or math.max(0, next[2] * 1000 - (clock[1] * 1000000 + clock[2]))
return { now, promoted, math.min(wait, 1e15), #taken - promoted }

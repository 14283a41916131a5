#!lua flags=allow-oom
-- Delayed jobs that are due become waiting, in the order of their due times. What is due and has no envelope is forgotten.
-- KEYS  1 ready  2 parked  3 delayed  4 moved
-- ARGV  1 at most how many
-- returns the server's time, how many, microseconds until the next is due (-1 when none waits), how many had no envelope
local due = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
local moved, bytes, promoted, looked, count = {}, 0, 0, 0, 1
if #due > 0 then
  expect('XLEN', KEYS[1])
  expect('HLEN', KEYS[2], KEYS[4])
end

while looked < #due and bytes < BUDGET do
  local from = looked
  local envelopes = redis.call('HMGET', KEYS[2], unpack(due, from + 1, math.min(#due, from + math.min(count, 1000))))
  for i, envelope in ipairs(envelopes) do
    if bytes >= BUDGET then break end -- these are larger than those before
    local id = due[from + i]
    looked = from + i
    if envelope then
      local task, headers, payload = unseal(envelope)
      local kept, named_id = renamed(headers, id)
      local entry = add(KEYS[1], task, payload, kept)
      bytes, promoted = bytes + #envelope, promoted + 1
      if named_id then
        local n = #moved
        moved[n + 1], moved[n + 2] = named_id, '1 ' .. entry
      end
    end
  end
  count = bytes == 0 and 2 * count or next_count(count, looked, bytes)
end
each('HSET', KEYS[4], moved)
each('HDEL', KEYS[2], due, 1, looked)
each('ZREM', KEYS[3], due, 1, looked)

local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local wait = #next == 0 and -1 or math.max(0, next[2] * 1000 - (clock[1] * 1000000 + clock[2]))
return { now, promoted, math.min(wait, 1e15), looked - promoted }

#!lua flags=allow-oom
-- Delayed jobs that are due become waiting, in the order of their due times. What is due and has no envelope is forgotten.
-- keys: lanes parked delayed moved signals
-- arguments:
--   limit    at most how many
-- returns the server's time, how many, microseconds until the next is due (-1 when none waits), how many had no envelope
-- parts: clock
local due = redis.call('ZRANGE', keys.delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, args.limit)
local promoted, looked = 0, 0
if #due > 0 then
  -- expects: lanes parked moved
  -- parts: unseal renamed lane_of add_to each pages
  local moved, bytes, count = {}, 0, 1
  while looked < #due and bytes < BUDGET do
    local from = looked
    local envelopes = redis.call('HMGET', keys.parked, unpack(due, from + 1, math.min(#due, from + math.min(count, 1000))))
    for i, envelope in ipairs(envelopes) do
      if bytes >= BUDGET then break end -- these are larger than those before
      local id = due[from + i]
      looked = from + i
      if envelope then
        local task, headers, payload = unseal(envelope)
        local kept, named_id = renamed(headers, id)
        local to = lane_of(kept)
        local entry = add_to(to, task, payload, kept)
        bytes, promoted = bytes + #envelope, promoted + 1
        if named_id then
          local n = #moved
          moved[n + 1], moved[n + 2] = named_id, to .. ' ' .. entry
        end
      end
    end
    count = bytes == 0 and 2 * count or next_count(count, looked, bytes)
  end
  each('HSET', keys.moved, moved)
  each('HDEL', keys.parked, due, 1, looked)
  each('ZREM', keys.delayed, due, 1, looked)
end

local next = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
local wait = #next == 0 and -1 or math.max(0, next[2] * 1000 - (clock[1] * 1000000 + clock[2]))
return { now, promoted, math.min(wait, 1e15), looked - promoted }

#!lua flags=allow-oom
-- Delayed jobs that are due become waiting, in the order of their due times. What is due and has no envelope is forgotten.
-- keys: lanes parked delayed moved signals gate
-- arguments:
--   limit    at most how many
-- returns the server's time, how many, microseconds until the next is due (-1 when none waits), how many had no envelope
-- parts: clock
local due = redis.call('ZRANGE', keys.delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, args.limit)
local promoted, looked = 0, 0
if #due > 0 then
  -- expects: lanes parked moved
  -- parts: unseal renamed lane_of add_to each pages
  local moved, left, bytes, count = {}, {}, 0, 1
  while looked < #due and bytes < BUDGET do
    local from = looked
    local envelopes = redis.call('HMGET', keys.parked, unpack(due, from + 1, math.min(#due, from + math.min(count, 1000))))
    for i, envelope in ipairs(envelopes) do
      if bytes >= BUDGET then break end -- these are larger than those before
      local id = due[from + i]
      looked = from + i
      if not envelope then left[#left + 1] = id else
        local task, headers, payload = unseal(envelope)
        local kept, named_id = renamed(headers, id)
        bytes, promoted = bytes + #envelope, promoted + 1
        local group, to, entry = nil, lane_of(kept), nil
        if string.find(kept, '"group"', 1, true) then
          -- parts: group_of line_up
          group = group_of(kept)
          if group then line_up(id, group, to, string.find(kept, '"returned"', 1, true) ~= nil) end
        end
        if not group then
          left[#left + 1] = id
          entry = add_to(to, task, payload, kept)
        end
        if named_id and not group then
          local n = #moved
          moved[n + 1], moved[n + 2] = named_id, to .. ' ' .. entry
        end
      end
    end
    count = bytes == 0 and 2 * count or next_count(count, looked, bytes)
  end
  each('HSET', keys.moved, moved)
  each('HDEL', keys.parked, left)
  each('ZREM', keys.delayed, due, 1, looked)
end

if promoted > 0 and redis.call('HEXISTS', keys.gate, 'limited') == 1 then
  -- parts: ring
  ring()
end
local next = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')[2]
local opens = redis.call('ZRANGE', keys.opens, 0, 0, 'WITHSCORES')[2]
if opens and tonumber(opens) <= now then
  -- parts: ring
  ring()
  opens = now + BELL -- where nobody answers
end
next = next and opens and math.min(next, opens) or next or opens
local wait = next and math.max(0, next * 1000 - (clock[1] * 1000000 + clock[2])) or -1
return { now, promoted, math.min(wait, 1e15), looked - promoted }

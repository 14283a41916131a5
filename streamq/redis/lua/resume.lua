#!lua flags=allow-oom
-- Held jobs whose task is not paused any more wait again, in the order of their births.
-- keys: lanes parked moved steering held signals
-- arguments:
--   limit    at most how many
-- returns how many, and 1 when there may be more
local looked_from, limit, resumed = '-', tonumber(args.limit), 0
if redis.call('ZCARD', keys.held) == 0 then return { 0, 0 } end -- as nearly always

-- parts: expect_lanes steered unseal lane_of add_to placed budget
expect_lanes() -- a key of the wrong type raises before anything is written
redis.call('HLEN', keys.parked)
redis.call('HLEN', keys.moved)
local bytes = 0

local function wait_again(member, id)
  local envelope = redis.call('HGET', keys.parked, id)
  if envelope then
    bytes = bytes + #envelope
    local task, headers, payload = unseal(envelope)
    local to = lane_of(headers)
    placed(id, to, add_to(to, task, payload, headers))
    redis.call('HDEL', keys.parked, id)
    resumed = resumed + 1
  end
  redis.call('ZREM', keys.held, member)
end

while true do
  local head = redis.call('ZRANGE', keys.held, looked_from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  if not head then return { resumed, 0 } end
  local task = string.match(head, '^(.*)\n') or ''
  if not (steered and is_paused('task:' .. task)) then
    local page = redis.call('ZRANGE', keys.held, '[' .. head, '(' .. task .. '\n\255', 'BYLEX', 'LIMIT', 0, limit)
    if #page == 0 then redis.call('ZREM', keys.held, head) end -- another's, of no form that is known
    for _, member in ipairs(page) do
      if bytes > BUDGET then return { resumed, 1 } end
      wait_again(member, string.match(member, '\n(.*)$') or '')
    end
    if #page == limit then return { resumed, 1 } end
  end
  looked_from = '(' .. task .. '\n\255'
end

#!lua flags=allow-oom
-- Held jobs whose task is not paused any more wait again, in the order of their births. It is asked of each queue from
-- time to time, and says what else there is to do.
-- keys: lanes parked delayed moved steering held operations signals gate
-- arguments:
--   limit    at most how many
-- returns how many; 1 when there may be more, else 0; 1 when there are background operations, else 0; and ms until the
--   next pause of a task ends by itself, 0 when none does
if redis.call('EXISTS', keys.steering, keys.held, keys.operations) == 0 then return { 0, 0, 0, 0 } end -- as nearly always
-- parts: steered
local resumed, operations = 0, redis.call('EXISTS', keys.operations)

local function answer(more)
  local next_end = math.huge
  if steered then
    local told = redis.call('HGETALL', keys.steering)
    for i = 1, #told, 2 do
      if string.find(told[i], '^task:') then next_end = math.min(next_end, paused_until(told[i]) or math.huge) end
    end
  end
  return { resumed, more, operations, next_end < math.huge and math.max(1, next_end - now) or 0 }
end
if redis.call('EXISTS', keys.held) == 0 then return answer(0) end

-- parts: unseal wait budget
-- expects: lanes parked moved
local looked_from, limit, bytes = '-', tonumber(args.limit), 0

local function wait_again(member, id)
  local envelope = redis.call('HGET', keys.parked, id)
  if envelope and not redis.call('ZSCORE', keys.delayed, id) then
    bytes = bytes + #envelope
    local task, headers, payload = unseal(envelope)
    redis.call('HDEL', keys.parked, id)
    wait(id, task, payload, headers)
    resumed = resumed + 1
  end
  redis.call('ZREM', keys.held, member)
end

while true do
  local head = redis.call('ZRANGE', keys.held, looked_from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  if not head then return answer(0) end
  local task = string.match(head, '^(.*)\n') or ''
  if not (steered and is_paused('task:' .. task)) then
    local page = redis.call('ZRANGE', keys.held, '[' .. head, '(' .. task .. '\n\255', 'BYLEX', 'LIMIT', 0, limit - resumed)
    if #page == 0 then redis.call('ZREM', keys.held, head) end -- another's, of no form that is known
    for _, member in ipairs(page) do
      if bytes > BUDGET then return answer(1) end
      wait_again(member, string.match(member, '\n(.*)$') or '')
    end
    if resumed >= limit then return answer(1) end
  end
  looked_from = '(' .. task .. '\n\255'
end

-- What was told to the queue. Most queues were told nothing, and have no such key.
-- parts: clock
local steered = redis.call('EXISTS', keys.steering) == 1

-- Until when `subject` (the queue's `paused`, or `task:<name>`) is paused, in ms since the epoch; nil when it is not now.
local function paused_until(subject)
  local told = redis.call('HGET', keys.steering, subject)
  if not told then return nil end
  local read, pause = pcall(cjson.decode, told)
  local ends = read and type(pause) == 'table' and tonumber(pause.until_ms) or math.huge
  return ends > now and ends or nil
end

local function is_paused(subject)
  return paused_until(subject) ~= nil
end

-- Why so many more jobs may not wait; nil when they may.
local function over_bound(more)
  local bound = tonumber(redis.call('HGET', keys.steering, 'max_waiting') or nil)
  if not bound or more == 0 then return nil end
  local waiting = 0
  for number = 1, #keys.lanes do
    local entries = redis.call('XLEN', keys.lanes[number])
    if entries > 0 then
      local pending = redis.pcall('XPENDING', keys.lanes[number], GROUP)
      waiting = waiting + entries - (pending.err and 0 or pending[1])
    end
  end
  if waiting + more <= bound then return nil end
  return string.format('FULL %.0f %.0f', waiting, bound)
end

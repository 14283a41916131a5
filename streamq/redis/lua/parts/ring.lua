-- Some worker is to look at the gate: one that is blocked wakes. One bell is enough until it was answered; one that nobody
-- has answered for a while counts as none, as who heard it may be lost.
-- parts: clock open_lane wake_waiter
local BELL = 1000 -- ms

local function ring()
  local rung = tonumber(redis.call('HGET', keys.gate, 'bell') or nil)
  if rung and now - rung < BELL and now >= rung then return end
  open_lane(lane.passed)
  if redis.call('EXISTS', keys.bell) == 0 then redis.call('XGROUP', 'CREATE', keys.bell, GROUP, '0', 'MKSTREAM') end
  if wake_waiter then wake_waiter() end
  redis.call('XADD', keys.bell, 'MAXLEN', 1, '*', 'look', '')
  redis.call('HSET', keys.gate, 'bell', now)
end

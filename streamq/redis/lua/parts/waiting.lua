-- How many entries of a lane were not delivered yet.
local function waiting_in(number)
  local entries = redis.call('XLEN', keys.lanes[number])
  local pending = entries > 0 and redis.pcall('XPENDING', keys.lanes[number], GROUP)
  return math.max(0, entries - (pending and not pending.err and pending[1] or 0))
end

-- Tell those who tick that a schedule has changed; as in `signal_due`, nobody may hear.
-- parts: publish
local function signal_schedules()
  redis.pcall(PUBLISH, keys.signals, 'schedules\n\n')
end

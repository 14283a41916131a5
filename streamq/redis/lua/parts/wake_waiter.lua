-- On a cluster no worker blocks at a stream, which would take a connection for each queue: those that wait are in a list,
-- and the first of them that still listens is told that there is something.
-- parts: sharded
local nobody_waits -- as many jobs may come in a call
local wake_waiter = SHARDED and function()
  if nobody_waits then return end
  local waiter = redis.call('LPOP', keys.signals .. ':waiters')
  while waiter and redis.pcall('SPUBLISH', keys.signals .. ':' .. waiter, '') == 0 do
    waiter = redis.call('LPOP', keys.signals .. ':waiters')
  end
  nobody_waits = not waiter
end

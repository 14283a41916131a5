-- The one writer of entries. The fields always come in this order: a stream stores equal names once for a whole block.
-- parts: wake_waiter
local function add(lane, task, payload, headers)
  if wake_waiter then wake_waiter() end
  return redis.call('XADD', lane, '*', 'task', task, 'payload', payload, 'headers', headers)
end

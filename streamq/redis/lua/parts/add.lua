-- The one writer of entries. The fields always come in this order: a stream stores equal names once for a whole block.
local function add(lane, task, payload, headers)
  return redis.call('XADD', lane, '*', 'task', task, 'payload', payload, 'headers', headers)
end

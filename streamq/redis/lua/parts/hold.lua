-- A job that is parked is held by the pause of its task.
local function hold(task, id)
  redis.call('ZADD', keys.held, 0, task .. '\n' .. id)
end

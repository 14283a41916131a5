-- Jobs without a group wait for the gate, too, where their task has a limit, or their queue: in the line of a group that
-- is named for the task, or of all others. No name of a group begins with a star, so no job says these in its headers.
-- parts: limits
local function task_group(task)
  if limit_of('task:' .. task) then return '*' .. (string.find(task, '^[%w_.-]+$') and task or redis.sha1hex(task)) end
  return limit_of('queue') and '*' or nil
end

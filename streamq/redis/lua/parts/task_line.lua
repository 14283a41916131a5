-- The line in which jobs of a task wait that have no group, while the task has a limit. No name of a group begins with a
-- star, so no job says this one in its headers. While their queue has one alone, all such jobs wait in the line `*`.
local function task_line(task)
  return '*' .. (string.find(task, '^[%w_.-]+$') and task or redis.sha1hex(task))
end

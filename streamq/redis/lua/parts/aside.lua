-- Jobs of paused tasks, for gate.lua alone.
-- parts: steered limits

-- Its task is paused: it is held for that, and the others go on. One of a strict group has taken its slot, so that none
-- of the group passes it.
local function put_aside(id, name, list, group, task)
  -- parts: hold
  hold(task, id)
  leave(id, name, list, group)
  looks = looks + 1
  if not slots[id] and has_limits and is_strict(group) then
    out[#out + 1], out[#out + 2] = id, group .. '\n'
    given_out[group] = (given_out[group] or 0) + 1
  end
end

local pauses = {}
local function is_task_paused(task)
  if not steered then return false end
  if pauses[task] == nil then pauses[task] = is_paused('task:' .. task) end
  return pauses[task]
end

-- Jobs without a group wait for the gate, too, where their task has a limit, or their queue.
-- parts: limits parse named seal line_up task_line

local function task_group(task)
  if limit_of('task:' .. task) then return task_line(task) end
  return limit_of('queue') and '*' or nil
end

-- Those of these entries of a lane, which are delivered to the caller, leave it for their lines. Returns the others, and
-- the groups in whose lines there are more now.
local function line_up_limited(entries, number)
  local others, groups = {}, {}
  for _, entry in ipairs(entries) do
    local task, payload, headers = parse(entry[2] or {})
    local group = entry[2] and task_group(task)
    if not group then others[#others + 1] = entry else
      local kept, id = named(headers, entry[1])
      redis.call('XACK', keys.lanes[number], GROUP, entry[1])
      redis.call('XDEL', keys.lanes[number], entry[1])
      redis.call('HSET', keys.parked, id, seal(task, kept, payload))
      redis.call('HDEL', keys.moved, id)
      line_up(id, group, number, string.find(kept, '"returned"', 1, true) ~= nil)
      groups[group] = true
    end
  end
  return others, groups
end

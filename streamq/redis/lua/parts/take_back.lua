-- Jobs that were let through as they were made, and that no worker has taken yet, go back to their lines where the gate has
-- been closed for them since. To be called when a limit or a pause is told; what comes after it is not let through so.
-- parts: delivered parse header_id group_of limits seal lane_of leave_gate line_up opens_at

local function is_closed_for(scope)
  local limit = limit_of(scope)
  if not limit then return false end
  return opens_at(scope, limit) ~= nil or limit.starts ~= nil or limit.broken ~= nil or limit.shared ~= nil or limit.whole ~= nil
    or limit.jobs ~= nil and (tonumber(redis.call('HGET', keys.used, scope)) or 0) > limit.jobs
end

local function take_back_entry(entry)
  local task, payload, headers = parse(entry[2] or {})
  local id, group = id_of(headers), group_of(headers)
  if not (id and group) then return end
  local own, part = scopes_of(group)
  local is_closed = is_closed_for('queue') or is_closed_for('task:' .. task) or is_closed_for(own) or part and is_closed_for(part)
  if not is_closed then return end
  redis.call('XDEL', keys.lanes[lane.passed], entry[1])
  leave_gate({ id })
  redis.call('HSET', keys.parked, id, seal(task, headers, payload))
  redis.call('HDEL', keys.moved, id)
  line_up(id, group, lane_of(headers), true)
end

local function take_back()
  if redis.call('HEXISTS', keys.gate, 'direct') == 0 then return end
  local entries = redis.call('XRANGE', keys.lanes[lane.passed], '(' .. last_delivered(lane.passed), '+', 'COUNT', 500)
  for i = #entries, 1, -1 do take_back_entry(entries[i]) end -- the first of them is the first of its line again
end

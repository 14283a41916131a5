-- A suspect has its slot since before it crashed, but may have to wait for a window or the end of a pause.
-- parts: opens_at parse header_id delivered add each_scope lease

-- Whether the first suspect that waits may start. Those go to the end of their lane that may not, some in a call.
local function has_open_suspect()
  local gated = redis.call('EXISTS', keys.out) == 1 and redis.call('EXISTS', keys.limits) == 1
  redis.call('XPENDING', keys.lanes[lane.alone], GROUP) -- an error where the group is gone
  for _ = 1, 10 do
    local entry = redis.call('XRANGE', keys.lanes[lane.alone], '(' .. last_delivered(lane.alone), '+', 'COUNT', 1)[1]
    if not entry then return false end
    local task, payload, headers = parse(entry[2])
    local id, closed = id_of(headers) or entry[1], false
    if gated then
      local told = redis.call('HGET', keys.out, id)
      each_scope(told, function(scope, limit) closed = closed or limit and opens_at(scope, limit) end)
      each_draw(told, function(name, units) closed = closed or shared_opens(name, units) end)
    end
    if not closed then return true end
    redis.call('HSET', keys.moved, id, lane.alone .. ' ' .. add(keys.lanes[lane.alone], task, payload, headers))
    redis.call('XDEL', keys.lanes[lane.alone], entry[1])
  end
  return false
end

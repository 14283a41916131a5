#!lua flags=allow-oom
-- A background operation begins, or is told to end.
-- keys: lanes finished completed failures cancelled expired operations signals
-- arguments:
--   operation   its id
--   begins      what it is (JSON), or "" to cancel it
-- returns its state before, "" where there was none; or "conflict <id>", the running one that is for the same jobs
-- parts: operation made record_times
local before = read_operation(args.operation)
local was = before and before.state or ''

-- When the last of the jobs ended that have ended so far: the clock may have been set back since.
local function last_end()
  local last = now
  for _, order in ipairs({ keys.failures, keys.cancelled, keys.expired }) do
    last = math.max(last, tonumber(redis.call('ZRANGE', order, 2 ^ 53, 0, 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2]) or 0)
  end
  local id = redis.call('LRANGE', keys.completed, -1, -1)[1]
  local record = id and redis.call('HGET', keys.finished, id)
  return math.max(last, record and ended_at(id, record) or 0)
end

if args.begins ~= '' then
  local begun = cjson.decode(args.begins)
  if begun.filter then
    -- parts: rivals
    local other = rival_of(begun)
    if other then return 'conflict ' .. other end
  end
  begun.created_ms, begun.last_end, begun.state, begun.done, begun.last = now, last_end(), 'running', 0, {}
  if begun.filter then -- as text: JSON would round it, and ends are microseconds apart
    begun.last_end = string.format('%.17g', begun.last_end)
  end
  for number = 1, #keys.lanes do -- no entry behind these is concerned, whatever the clock says
    if is_made(number) then
      local told = redis.call('XINFO', 'STREAM', keys.lanes[number])
      for i = 1, #told, 2 do
        if told[i] == 'last-generated-id' then begun.last[tostring(number)] = told[i + 1] end
      end
    end
  end
  write_operation(args.operation, begun)
  -- parts: publish
  redis.pcall(PUBLISH, keys.signals, 'operation\n\n')
elseif before and before.state == 'running' then
  end_operation(before, 'cancelled')
  write_operation(args.operation, before)
end
return was

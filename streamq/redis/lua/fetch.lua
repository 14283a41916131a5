#!lua flags=allow-oom
-- The next jobs for a worker that runs nothing: one suspect by itself, or else up to n ready ones. It ends early where
-- they are large. (A worker's own blocking read cannot do that: the server knows a limit by number only.)
-- keys: lanes gate
-- arguments:
--   worker
--   n        at most 500; none below 1
-- returns lane, entries
local function take(lane, count)
  local read = redis.call('XREADGROUP', 'GROUP', GROUP, args.worker, 'COUNT', count, 'STREAMS', keys.lanes[lane], '>')
  return read and read[1][2] or {}
end

local n = math.min(tonumber(args.n), 500)
if n < 1 then return { lane.ready, {} } end -- to the server, COUNT 0 means all
local suspect = take(lane.alone, 1)
if #suspect > 0 and redis.call('EXISTS', keys.out) == 1 and redis.call('EXISTS', keys.limits) == 1 then
  -- parts: clock limits parse header_id note_start
  local _, _, headers = parse(suspect[1][2])
  local group, task = string.match(redis.call('HGET', keys.out, id_of(headers) or suspect[1][1]) or '', '^(.*)\n(.*)$')
  if group then -- it starts now, and counts
    local own, part = scopes_of(group)
    note_start('queue', limit_of('queue'))
    note_start('task:' .. task, limit_of('task:' .. task))
    if own then note_start(own, limit_of(own, 'group:*')) end
    if part then note_start(part, limit_of(part, 'group:*:*')) end
  end
end
if #suspect > 0 then return { lane.alone, suspect } end

if redis.call('HEXISTS', keys.gate, 'limited') == 1 then return { lane.ready, {} } end -- the gate lets them through

-- parts: pages entry_size
local found, bytes, count = {}, 0, 1
repeat
  local page = take(lane.ready, count)
  for _, entry in ipairs(page) do
    found[#found + 1] = entry
    bytes = bytes + size_of(entry)
  end
  if #page < count then break end
  count = math.min(n - #found, next_count(count, #found, bytes))
until count < 1 or bytes >= BUDGET
return { lane.ready, found }

#!lua flags=allow-oom
-- The next jobs for a worker that runs nothing: one suspect by itself, or else up to n ready ones. It ends early where
-- they are large. (A worker's own blocking read cannot do that: the server knows a limit by number only.)
-- keys: lanes moved signals gate
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
-- parts: open_suspect write_leases
local suspect = has_open_suspect() and take(lane.alone, 1) or {}
if #suspect > 0 and redis.call('EXISTS', keys.out) == 1 then
  -- parts: parse header_id note_start each_scope
  local _, _, headers = parse(suspect[1][2])
  local told = redis.call('HGET', keys.out, id_of(headers) or suspect[1][1])
  each_scope(told, note_start) -- it starts now, and counts
  each_draw(told, draw)
end
write_leases(1)
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

#!lua flags=allow-oom
-- The jobs of a lost worker start again elsewhere: each gets a new entry, so the lost worker's outcome is refused.
-- A crash is charged first: next to the limit a job becomes a suspect and runs by itself, at the limit it is failed.
-- One whose end was asked for ends instead.
-- keys: lanes moved parked delayed finished failures fingerprints fingerprinted failure_kinds cancelled cancels retention unique followers ended workers signals gate
-- arguments:
--   worker
--   beat          its heartbeat counter as last seen ("" to take it as lost)
--   limit         at most how many jobs
--   crash_limit
--   keep_failed   how many failed jobs are kept
-- returns how many start again, how many are suspects, how many failed, how many are still pending, and of the first of
--   them id, what became of it (again, alone, failed or cancelled) and task, and how
--   many were cancelled; or -1 when its counter has changed since
if args.beat ~= '' and (redis.call('ZSCORE', keys.workers, args.worker) or '') ~= args.beat then
  return { -1, 0, 0, 0, {}, 0 }
end

-- parts: made leave_gate
-- expects: lanes moved finished failures fingerprints fingerprinted failure_kinds workers parked retention unique delayed
local told_any = redis.call('HLEN', keys.cancels) > 0

-- parts: clock budget read wait header_id own_headers rewritten record
local crash_limit, room = tonumber(args.crash_limit), tonumber(args.limit)
local ids, records, again, suspects, told = {}, {}, 0, 0, {}
local bytes, name = 0, string.gsub(args.worker, '[^%w%p]', '?')
local CHARGED = { crashes = true, history = true }

-- The id, how often its worker was lost now, and the headers that say so.
local function charged(entry, headers)
  local list, id = split(headers), id_of(headers) or entry
  local crashes = count_of(list, 'crashes') + 1
  local loss = cjson.encode({ type = 'WorkerLost', message = 'worker ' .. name .. ' was lost while the job was active',
    worker = name, attempt = count_of(list, 'attempt') + 1, finished_at = now })
  local before = history_of(list)
  return id, crashes, rewritten(list, id, CHARGED, ',"crashes":' .. crashes .. ',"history":[', before,
    (before and ',' or '') .. loss .. ']')
end

local function tell(id, fate, task)
  if #told < 30 then
    told[#told + 1], told[#told + 2], told[#told + 3] = id, fate, string.sub(task, 1, 200)
  end
end

local function fail(id, crashes, task, headers, payload)
  local outcome = cjson.encode({ type = 'Crashed', worker = name,
    message = 'its worker was lost ' .. crashes .. ' times while it ran' })
  ids[#ids + 1] = id
  records[#records + 1] = id
  records[#records + 1] = unrun_record(mark.failed, id, name, task, headers, outcome, payload)
  redis.call('HDEL', keys.moved, id)
  if string.find(headers, '"key"', 1, true) then
    -- parts: key_of leave_key
    local key = key_of(headers)
    if key then leave_key(key, id) end
  end
  tell(id, 'failed', task)
end

-- Whether its end was asked for, and it has ended now.
local ended = {}
local function was_cancelled(id, task, headers, payload)
  local told = told_any and redis.call('HGET', keys.cancels, id)
  if not told then return false end
  -- parts: cancelled
  cancel(ended, id, name, task, headers, payload, told)
  tell(id, 'cancelled', task)
  return true
end

local function recover(lane, entry)
  local task, payload, headers = read(keys.lanes[lane], entry)
  if task then
    bytes = bytes + #task + #payload + #headers
    local id, crashes, kept = charged(entry, headers)
    if was_cancelled(id, task, kept, payload) then
      -- nothing of it is left to run
    elseif crashes >= crash_limit then
      fail(id, crashes, task, kept, payload)
    else
      local suspect = crashes == crash_limit - 1
      -- out of the lane of suspects when the limit was raised meanwhile; any other lane stays the job's own
      local to = suspect and lane.alone or lane == lane.alone and lane_of(kept) or lane
      if suspect then suspects = suspects + 1 else again = again + 1 end
      wait(id, task, payload, kept, to, true)
      tell(id, suspect and 'alone' or 'again', task)
    end
  end
  redis.call('XACK', keys.lanes[lane], GROUP, entry)
  redis.call('XDEL', keys.lanes[lane], entry)
end

for lane = 1, #keys.lanes do
  local pending = room > 0 and bytes < BUDGET and is_made(lane)
    and redis.call('XPENDING', keys.lanes[lane], GROUP, '-', '+', room, args.worker)
  for _, row in ipairs(pending or {}) do
    if bytes >= BUDGET then break end
    recover(lane, row[1])
    room = room - 1
  end
end

if #ids > 0 then
  -- parts: bury follow heard signal_ended failure_kinds failed_no_more
  local old, kept = bury(keys.failures, tonumber(args.keep_failed), ids, records)
  follow(records)
  if kept then note_failures(records) end
  failed_no_more(old)
  if heard() then signal_ended({ records, 1, #records }) end
end
if #ended > 0 then
  -- parts: cancelled heard signal_ended
  bury_cancelled(ended)
  if heard() then signal_ended({ ended, 1, #ended }) end
end

if (#ids > 0 or #ended > 0) and redis.call('EXISTS', keys.out) == 1 then
  -- parts: leave_gate
  local gone = {}
  for i = 1, #ended, 2 do gone[#gone + 1] = ended[i] end
  for _, id in ipairs(ids) do gone[#gone + 1] = id end
  leave_gate(gone)
end

local left = 0
for lane = 1, #keys.lanes do
  left = not is_made(lane) and left or left + #redis.call('XPENDING', keys.lanes[lane], GROUP, '-', '+', 1, args.worker)
end
if left == 0 then
  -- Only now: deleting a consumer drops whatever is still pending under its name.
  for lane = 1, #keys.lanes do
    if is_made(lane) then redis.call('XGROUP', 'DELCONSUMER', keys.lanes[lane], GROUP, args.worker) end
  end
  if redis.call('EXISTS', keys.bell) == 1 then redis.pcall('XGROUP', 'DELCONSUMER', keys.bell, GROUP, args.worker) end
  redis.call('ZREM', keys.workers, args.worker)
end
return { again, suspects, #ids, left, told, #ended / 2 }

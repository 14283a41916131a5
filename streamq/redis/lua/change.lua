#!lua flags=allow-oom
-- A job that is to run is changed: when, how urgently, or with what. One that waits goes to the end of its lane.
-- keys: lanes moved parked delayed finished cancels signals gate held unique
-- arguments:
--   id
--   version    how often it was changed, as the caller has seen it ("" for whatever it is)
--   due        its due time, "now" to let a delayed one wait at once, or "" to leave it
--   priority   ("" to leave it)
--   payload    ("" to leave it)
--   own        what the headers are to say of that payload, as an object ("" to leave it)
-- returns as locate.lua how it is now   or "is", its state, when that does not allow it   or "version", its own
--   or nothing when there is no such job
-- parts: clock places unseal seal own_headers rewritten wait due park leave_gate
-- expects: lanes moved parked delayed cancels
local id, state = args.id, nil
local number, entry, task, payload, headers = entry_of(id)
if number then
  -- one whose end was asked for is nobody's to change, also when its worker's claim was deleted: the audit ends it
  local is_waiting = holder_of(number, entry) == '' and redis.call('HEXISTS', keys.cancels, id) == 0
  state = is_waiting and 'waiting' or 'active'
else
  local envelope = is_id(id) and redis.call('HGET', keys.parked, id)
  if envelope then
    task, headers, payload = unseal(envelope)
    state = redis.call('ZSCORE', keys.delayed, id) and 'delayed' or 'held'
  else
    -- parts: state_of
    local record = is_id(id) and redis.call('HGET', keys.finished, id)
    if not record then return {} end
    state = state_of(record)
  end
end

local allowed = (args.payload == '' or starts.edit[state]) and (args.priority == '' or starts.priority[state])
  and (args.due == '' or args.due == 'now' and starts.promote[state] or args.due ~= 'now' and starts.reschedule[state])
if not allowed then return { 'is', state } end

local list = split(headers)
local version = count_of(list, 'version')
if args.version ~= '' and tonumber(args.version) ~= version then return { 'version', version } end

local drop, more = { version = true }, ',"version":' .. version + 1
if args.priority ~= '' then
  drop.priority = true
  if lane.of[args.priority] ~= lane.ready then more = more .. ',"priority":"' .. args.priority .. '"' end
end
if args.own ~= '' then
  drop.masked, drop.payload_version = true, true
  if args.own ~= '{}' then more = more .. ',' .. string.sub(args.own, 2, -2) end
end
local kept = rewritten(list, id, drop, more)
if args.payload ~= '' then payload = args.payload end

-- It waits now, at the end of its lane; a suspect stays among the suspects.
local function to_wait()
  wait(id, task, payload, kept, number == lane.alone and number or nil)
  local envelope = redis.call('HGET', keys.parked, id)
  return envelope and { 'parked', '', envelope } or { 'entry', now, '', 0, task, payload, kept }
end

-- It is parked, until it is due where that is said.
local function to_park(due)
  local envelope, earliest = seal(task, kept, payload), nil
  if due then
    earliest = park({ due, id }, { id, envelope })
  else
    redis.call('HSET', keys.parked, id, envelope)
  end
  if earliest then
    -- parts: signal_due
    signal_due(earliest)
  end
  return { 'parked', redis.call('ZSCORE', keys.delayed, id) or '', envelope }
end

if number then
  local said = args.due == '' and to_wait() or to_park(due_at(args.due))
  redis.call('XDEL', keys.lanes[number], entry)
  if args.due ~= '' then
    redis.call('HDEL', keys.moved, id)
    if redis.call('EXISTS', keys.out) == 1 then -- it was let through, and nobody has it
      -- parts: leave_gate
      leave_gate({ id })
    end
  end
  return said
end
if state == 'held' and args.due ~= '' then
  -- parts: leave_line
  leave_line(id, task, headers)
end
if args.due ~= 'now' then
  -- parts: move_line
  local was = state == 'held' and args.due == '' and is_in_line(id, task, headers)
  local said = to_park(args.due ~= '' and due_at(args.due) or nil)
  if args.priority ~= '' then move_line(id, was, headers, task, kept, payload) end
  return said
end
redis.call('HDEL', keys.parked, id)
redis.call('ZREM', keys.delayed, id)
return to_wait()

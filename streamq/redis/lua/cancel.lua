#!lua flags=allow-oom
-- The end of a job is asked for. One that waits, is delayed or held ends now. Of an active one it is noted: its worker is
-- told, and whatever would let it run again ends it instead.
-- keys: lanes moved parked delayed held finished cancelled cancels retention unique ended signals gate
-- arguments:
--   id
--   told          what its record is to say of its end, as JSON; when it was asked for is added
--   keep_failed   how many cancelled jobs are kept
-- returns as locate.lua how it is now   or "is", its state, when it has ended otherwise   or nothing
-- parts: clock places unseal cancelled leave_gate
-- expects: lanes moved parked delayed held finished cancelled cancels retention unique
local id = args.id
local told = string.sub(args.told, 1, -2) .. ',"asked_at":' .. string.format('%.0f', now) .. '}'

-- It is taken from its place already.
local function ended(task, headers, payload)
  -- parts: heard signal_ended
  local its = {}
  cancel(its, id, '', task, headers, payload, told)
  bury_cancelled(its)
  if heard() then signal_ended({ its, 1, 2 }) end
  return { 'finished', its[2] }
end

local number, entry, task, payload, headers = entry_of(id)
if number then
  local worker, since = holder_of(number, entry)
  if worker ~= '' then
    if redis.call('HEXISTS', keys.cancels, id) == 0 then redis.call('HSET', keys.cancels, id, told) end -- who asks first is told of
    -- parts: publish
    redis.pcall(PUBLISH, keys.signals, 'cancel ' .. id .. '\n\n')
    return { 'entry', now, worker, since, task, payload, headers }
  end
  redis.call('XDEL', keys.lanes[number], entry)
  if redis.call('EXISTS', keys.out) == 1 then -- it was let through, and nobody has it
    -- parts: leave_gate
    leave_gate({ id })
  end
  return ended(task, headers, payload)
end

local envelope = is_id(id) and redis.call('HGET', keys.parked, id)
if envelope then
  task, headers, payload = unseal(envelope)
  if string.find(headers, '"group"', 1, true) then
    -- parts: leave_line
    leave_line(id, task, headers)
  end
  redis.call('HDEL', keys.parked, id)
  redis.call('ZREM', keys.delayed, id)
  redis.call('ZREM', keys.held, task .. '\n' .. id)
  return ended(task, headers, payload)
end

local record = is_id(id) and redis.call('HGET', keys.finished, id)
if not record then return {} end
-- parts: state_of
if state_of(record) == outcome.cancelled then return { 'finished', record } end -- what was asked for is done
return { 'is', state_of(record) }

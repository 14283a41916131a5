#!lua flags=allow-oom
-- Where a job is: at its birthplace, where it moved to, parked, or finished.
-- keys: lanes moved parked delayed finished
-- arguments:
--   id
-- returns "entry", now, worker ("" when waiting), ms since delivery, task, payload, headers
--      or "parked", due ("" when it is held), envelope   or "finished", record   or nothing
-- parts: clock places
if not is_id(args.id) then return {} end
local lane, entry, task, payload, headers = entry_of(args.id)
if lane then
  local worker, since = holder_of(lane, entry)
  return { 'entry', now, worker, since, task, payload, headers }
end
local envelope = redis.call('HGET', keys.parked, args.id)
if envelope then return { 'parked', redis.call('ZSCORE', keys.delayed, args.id) or '', envelope } end
local record = redis.call('HGET', keys.finished, args.id)
if record then return { 'finished', record } end
return {}

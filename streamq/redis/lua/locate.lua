#!lua flags=allow-oom
-- Where a job is: at its birthplace, where it moved to, parked, or finished.
-- KEYS  1 ready  2 alone  3 moved  4 parked  5 delayed  6 finished
-- ARGV  1 group  2 id
-- returns "entry", now, worker ("" when waiting), ms since delivery, task, payload, headers
--      or "parked", due ("" when it is held), envelope   or "finished", record   or nothing
if not is_id(ARGV[2]) then return {} end
local lane, entry, task, payload, headers = entry_of(ARGV[2], KEYS, KEYS[3])
if lane then
  local worker, since = holder_of(KEYS[lane], ARGV[1], entry)
  return { 'entry', now, worker, since, task, payload, headers }
end
local envelope = redis.call('HGET', KEYS[4], ARGV[2])
if envelope then return { 'parked', redis.call('ZSCORE', KEYS[5], ARGV[2]) or '', envelope } end
local record = redis.call('HGET', KEYS[6], ARGV[2])
if record then return { 'finished', record } end
return {}

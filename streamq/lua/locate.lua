#!lua flags=allow-oom
-- Where a job is: at its birthplace, where it moved to, parked, or finished.
-- KEYS  1 ready  2 alone  3 moved  4 parked  5 delayed  6 finished
-- ARGV  1 group  2 id
-- returns "entry", now, worker ("" when waiting), ms since delivery, task, payload, headers
--      or "parked", due ("" when it is held), envelope   or "finished", record   or nothing
if not is_id(ARGV[2]) then return {} end
local lane, entry = place(redis.call('HGET', KEYS[3], ARGV[2]))
local task, payload, headers
if lane then task, payload, headers = read(KEYS[lane], entry) end
if not task then
  lane, entry = 1, ARGV[2]
  task, payload, headers = read(KEYS[lane], entry)
end
if task then
  local holder = redis.pcall('XPENDING', KEYS[lane], ARGV[1], entry, entry, 1)
  local held = not holder.err and holder[1]
  return { 'entry', now, held and held[2] or '', held and held[3] or 0, task, payload, headers }
end
local envelope = redis.call('HGET', KEYS[4], ARGV[2])
if envelope then return { 'parked', redis.call('ZSCORE', KEYS[5], ARGV[2]) or '', envelope } end
local record = redis.call('HGET', KEYS[6], ARGV[2])
if record then return { 'finished', record } end
return {}

#!lua
-- A job that failed, was cancelled or has expired is made once more, with another payload. It stays as it ended; its record
-- says the id of the new job, and the new job's headers the id of the old one.
-- keys: lanes moved parked delayed finished unique signals gate
-- arguments:
--   id
--   sequence   number in the id of the new job
--   payload
--   own        what the headers are to say of that payload, as an object ("" for what they say of the old one)
-- returns "made", the new id, task, payload, headers   or "is", its state   or "key", its unique key, the job that has it
--   and its own state   or nothing when there is no such job
-- parts: clock ids state_of living_state
-- expects: lanes moved parked finished unique
local id = args.id
local record = is_id(id) and redis.call('HGET', keys.finished, id)
local state = record and state_of(record)
if not (state and starts.retry[state]) then
  local living = living_state(id)
  return (living or record) and { 'is', living or state } or {}
end

-- parts: record_job rewritten own_headers wait take_key_again line
local task, headers = job_of(record)
local new = string.format('%.0f-%s', now, args.sequence)
local more = ',"clone_of":"' .. id .. '"'
local drop = {
  attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true, expires = true, history = true,
  version = true, tried_since = true, clone_of = true, cloned_as = true, due = true,
}
if args.own ~= '' then
  drop.masked, drop.payload_version = true, true
  if args.own ~= '{}' then more = more .. ',' .. string.sub(args.own, 2, -2) end
end
local kept = rewritten(split(headers), new, drop, more)
local key, other = take_key_again(new, kept)
if key then return { 'key', key, other, state } end
wait(new, task, args.payload, kept)

-- The old record, with one more header.
local list = split(headers)
local old = rewritten(list, id, { id = true, cloned_as = true }, ',"cloned_as":"' .. new .. '"')
local first_line, rest = string.match(record, '^([^\n]*)\n[^\n]*\n[^\n]*(\n.*)$')
redis.call('HSET', keys.finished, id, first_line .. '\n' .. line(task) .. '\n' .. line(old) .. rest)
return { 'made', new, task, args.payload, kept }

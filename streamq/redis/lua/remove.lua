#!lua flags=allow-oom
-- The record of a finished job is deleted. The list of completed jobs is long: an id that does not lie near one of its
-- ends stays in it, without a record, until it is among the oldest.
-- keys: lanes moved parked delayed finished completed failures fingerprints fingerprinted cancelled expired
-- arguments:
--   id
--   near     how many ids from either end of the list are looked at
-- returns "removed"   or "is", its state, when it has not ended   or nothing
-- parts: state_of living_state failed_no_more
local id = args.id
local record = is_id(id) and redis.call('HGET', keys.finished, id)
if not record then
  local state = living_state(id)
  return state and { 'is', state } or {}
end
-- expects: completed failures fingerprints fingerprinted cancelled expired
local others = { keys.failures, keys.cancelled, keys.expired }
for _, index in ipairs(others) do redis.call('ZREM', index, id) end
failed_no_more({ id })
redis.call('HDEL', keys.finished, id)
if state_of(record) == outcome.completed then
  for _, from in ipairs({ -1, 1 }) do
    if redis.call('LPOS', keys.completed, id, 'RANK', from, 'MAXLEN', args.near) then
      redis.call('LREM', keys.completed, from, id)
      break
    end
  end
end
return { 'removed' }

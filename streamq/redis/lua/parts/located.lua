-- Where a job is: at its birthplace, where it moved to, parked, or finished. What it answers, `locate.lua` says.
-- parts: clock places
local function located(id)
  if not is_id(id) then return {} end
  local lane, entry, task, payload, headers = entry_of(id)
  if lane then
    local worker, since = holder_of(lane, entry)
    return { 'entry', now, worker, since, task, payload, headers }, lane, entry
  end
  local envelope = redis.call('HGET', keys.parked, id)
  if envelope then return { 'parked', redis.call('ZSCORE', keys.delayed, id) or '', envelope } end
  local record = redis.call('HGET', keys.finished, id)
  if record then return { 'finished', record } end
  return {}
end

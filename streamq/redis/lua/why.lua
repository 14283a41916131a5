#!lua flags=allow-oom
-- What is known of a job that tells why it does not run now.
-- keys: lanes moved parked delayed finished steering cancels unique workers chief gate
-- arguments:
--   id
-- returns nothing where there is no such job, else
--   what `locate.lua` says of it
--   its lane, 0 where it lies in none; how many wait in each lane, and how many jobs are active
--   how many wait before it in its lane, and 1 where that is exact
--   the pause of the queue, that of its task, what was said by who asked for its end; "" for none of each
--   the beats of its worker, "" where it does not beat; who does the queue's upkeep, "" for nobody
--   the id of the job that has its unique key; the server's time
--   how many of its group wait before it (-1 where the gate does not hold it), and the tenants that are to have their
--   turn; then of each of its scopes: its name, what its limit says, its pause, how many are past the gate, and when its
--   window opens in ms, 0 where that is open
-- parts: clock located ahead waiting
local found, number, entry = located(args.id)
if #found == 0 or found[1] == 'finished' then return #found > 0 and { found } or {} end

local function told(key, field)
  return redis.call('HGET', key, field) or ''
end

local waits, waiting, active = found[3] == '', {}, 0
local ahead, exact = 0, 1
for lane = 1, #keys.lanes do
  waiting[lane] = waiting_in(lane)
  active = active + redis.call('XLEN', keys.lanes[lane]) - waiting[lane]
end
if number and waits then ahead, exact = ahead_of(number, entry, waiting[number]) end

local task, headers = found[5], found[7]
if not number then
  -- parts: unseal
  task, headers = unseal(found[3])
end
-- parts: key_of standing
local key = not number and key_of(headers)

-- What the gate knows of it.
local gate = { -1, 0 }
local function told_of_gate()
  -- parts: limits group_of
  local group = group_of(headers)
  local own, part
  if group then own, part = scopes_of(group) end
  if not number and group then
    local priority = string.match(headers, '"priority":"(%l+)"') or 'ready'
    local numbers = { critical = lane.critical, high = lane.high, low = lane.low, ready = lane.ready }
    gate[1] = 0
    for _, each in ipairs({ lane.critical, lane.high, lane.ready, lane.low }) do
      local line = keys.line .. each .. ':' .. group
      if each == numbers[priority] then
        gate[1] = gate[1] + (redis.call('LPOS', line, args.id, 'MAXLEN', 10000) or math.min(redis.call('LLEN', line), 10000))
        break
      end
      gate[1] = gate[1] + redis.call('LLEN', line)
    end
  end
  gate[2] = redis.call('ZCARD', keys.turns)
  for _, scope in ipairs({ 'queue', 'task:' .. task, own, part }) do
    local general, limit = general_of(scope), limit_of(scope)
    if limit then
      local said = redis.call('HMGET', keys.limits, general or scope, scope, 'pause ' .. scope)
      local oldest = limit.starts and tonumber(redis.call('LINDEX', keys.starts .. scope, -limit.starts) or nil)
      local opens = oldest and now - oldest <= limit.window and oldest + limit.window + 1 or 0
      for _, each in ipairs({
        scope, (general and said[1] and said[1] .. ' ' or '') .. (said[2] or ''), said[3] or '',
        redis.call('HGET', keys.used, scope) or '0', string.format('%.0f', opens),
      }) do gate[#gate + 1] = each end
    end
  end
  -- parts: lease
  for _, name in ipairs(shared_by(task) or {}) do -- those of which the queue has too little now, or that are paused
    local scope, units = 'shared:' .. name, units_from(name, headers)
    local held = not number and tonumber(redis.call('HGET', keys.used, scope) or 0) or nil
    if shared_opens(name, units, held) then
      local most = redis.call('HGET', keys.leases, name .. ' most')
      for _, each in ipairs({ scope, most and 'jobs=' .. string.match(most, '^%d*') or '', redis.call('HGET', keys.limits, 'pause ' .. scope) or '', tostring(units), '0' }) do
        gate[#gate + 1] = each
      end
    end
  end
end
told_of_gate()
return {
  found, number or 0, waiting, active, ahead, exact,
  told(keys.steering, 'paused'), told(keys.steering, 'task:' .. task), told(keys.cancels, args.id),
  number and not waits and redis.call('ZSCORE', keys.workers, found[3]) or '', redis.call('GET', keys.chief) or '',
  key and standing_of(key) or '', now, gate,
}

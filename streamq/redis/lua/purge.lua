#!lua flags=allow-oom
-- One step of a purge: jobs of its states are deleted, those that were there when it began, and counted in the same call.
-- keys: lanes parked delayed moved finished completed failures fingerprints fingerprinted cancelled expired unique held operations signals gate
-- arguments:
--   operation   its id
--   limit       at most how many
-- returns its state ("" where there is no such operation) and how many jobs this step deleted
-- parts: clock operation leave_gate
local purge = read_operation(args.operation)
if not purge or not (purge.left or purge.state ~= 'running') then return { '', 0 } end
if purge.state ~= 'running' then return { purge.state, 0 } end

-- parts: failed_no_more each pages parse header_id key_of unseal leave_key leave_line birth record_times made delivered
-- expects: lanes parked moved finished unique delayed failures fingerprints fingerprinted cancelled expired held completed

local limit, looked, bytes, deleted = tonumber(args.limit), 0, 0, 0

local function let_go(id, task, headers)
  local key = key_of(headers)
  if key then leave_key(key, id) end
  redis.call('ZREM', keys.held, task .. '\n' .. id)
end

-- What no worker has of the entries that were there. Returns whether the lane has none of them left.
local function purge_lane(number, count)
  local last = purge.last[tostring(number)]
  if not last or not is_made(number) then return true end
  local page = redis.call('XRANGE', keys.lanes[number], '(' .. last_delivered(number), last, 'COUNT', count)
  local entries, ids = {}, {}
  for _, entry in ipairs(page) do
    local task, payload, headers = parse(entry[2])
    entries[#entries + 1] = entry[1]
    bytes = bytes + #payload + #headers
    if headers ~= '' then
      local id = id_of(headers) or entry[1]
      if id ~= entry[1] then ids[#ids + 1] = id end
      let_go(id, task, headers)
    end
  end
  each('XDEL', keys.lanes[number], entries)
  each('HDEL', keys.moved, ids)
  if #ids > 0 and redis.call('EXISTS', keys.out) == 1 then -- some may have been let through, and nobody has them
    -- parts: leave_gate
    leave_gate(ids)
  end
  looked, deleted = looked + #page, deleted + #entries
  return #page == 0
end

local function purge_waiting(count)
  local number = purge.lane or 1
  if not purge_lane(number, count) then return false end
  purge.lane = number + 1
  return number >= #keys.lanes
end

local gated = redis.call('EXISTS', keys.lines, keys.out) > 0 -- some may be in lines, or past the gate

-- Jobs that are parked, delayed or held. The cursor finds each that stays parked for as long as the purge takes.
local function purge_parked(count, is_delayed)
  local cursor, found = unpack(redis.call('HSCAN', keys.parked, purge.cursor or '0', 'COUNT', count))
  local ids, tasks, headers = {}, {}, {}
  for i = 1, #found, 2 do
    local id, envelope = found[i], found[i + 1]
    bytes = bytes + #envelope
    local delayed = redis.call('ZSCORE', keys.delayed, id) ~= false
    if delayed == is_delayed and (birth_of(id) or 0) <= purge.created_ms then
      local n = #ids + 1
      ids[n], tasks[n], headers[n] = id, unseal(envelope)
      if gated then leave_line(id, tasks[n], headers[n]) end
    end
  end
  each('HDEL', keys.parked, ids) -- before their keys are left, as one may follow another
  if is_delayed then each('ZREM', keys.delayed, ids) end
  for n, id in ipairs(ids) do let_go(id, tasks[n], headers[n]) end
  looked, deleted, purge.cursor = looked + math.max(count, #found / 2), deleted + #ids, cursor
  return cursor == '0'
end

-- Records, in the order of their ends, as far as these were before the purge began.
local function purge_completed(count)
  local ids, old = redis.call('LRANGE', keys.completed, 0, count - 1), {}
  for i, record in ipairs(#ids > 0 and redis.call('HMGET', keys.finished, unpack(ids)) or {}) do
    bytes = bytes + #(record or '')
    if record and (ended_at(ids[i], record) or 0) > purge.last_end then break end
    old[i] = ids[i]
  end
  if #old > 0 then redis.call('LPOP', keys.completed, #old) end
  each('HDEL', keys.finished, old)
  looked, deleted = looked + #ids, deleted + #old
  return #old < count
end

local function purge_ended(count, order)
  local ids = redis.call('ZRANGE', order, '-inf', purge.last_end + 1, 'BYSCORE', 'LIMIT', 0, count)
  each('ZREM', order, ids)
  if order == keys.failures then failed_no_more(ids) end
  each('HDEL', keys.finished, ids)
  looked, deleted = looked + #ids, deleted + #ids
  return #ids < count
end

local STEPS = {
  waiting = purge_waiting,
  delayed = function(count) return purge_parked(count, true) end,
  held = function(count) return purge_parked(count, false) end,
  completed = purge_completed,
  failed = function(count) return purge_ended(count, keys.failures) end,
  cancelled = function(count) return purge_ended(count, keys.cancelled) end,
  expired = function(count) return purge_ended(count, keys.expired) end,
}

-- In pages that grow while jobs are small: nobody knows how large the next one is.
local step, count = STEPS[purge.left[1]], 8
while true do
  if not step or step(count) then
    table.remove(purge.left, 1)
    purge.cursor, purge.lane = nil, nil
    break
  end
  if looked >= limit or bytes > BUDGET then break end
  count = math.min(limit - looked, looked > 0 and next_count(count, looked, bytes + looked) or count)
end
purge.done = purge.done + deleted
if #purge.left == 0 then end_operation(purge, 'done') end
write_operation(args.operation, purge)
return { purge.state, deleted }

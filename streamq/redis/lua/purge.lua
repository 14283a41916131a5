#!lua flags=allow-oom
-- One step of a purge: jobs of its states are deleted, those that were there when it began, and counted in the same call.
-- keys: lanes parked delayed moved finished completed failures cancelled expired unique held operations signals
-- arguments:
--   operation   its id
--   limit       at most how many
-- returns its state ("" where there is no such operation) and how many jobs this step deleted
-- parts: clock operation
local purge = read_operation(args.operation)
if not purge then return { '', 0 } end
if purge.state ~= 'running' then return { purge.state, 0 } end

-- parts: expect_lanes each budget parse header_id key_of unseal leave_key birth made
expect_lanes() -- a key of the wrong type raises before anything is written
for _, name in ipairs({ keys.parked, keys.moved, keys.finished, keys.unique }) do redis.call('HLEN', name) end
for _, name in ipairs({ keys.delayed, keys.failures, keys.cancelled, keys.expired, keys.held }) do redis.call('ZCARD', name) end
redis.call('LLEN', keys.completed)

local limit, bytes, deleted = tonumber(args.limit), 0, 0

local function let_go(id, task, headers)
  local key = key_of(headers)
  if key then leave_key(key, id) end
  redis.call('ZREM', keys.held, task .. '\n' .. id)
end

-- Entries that no worker has. Returns whether the lane has none left of those that were there.
local function purge_lane(number)
  if not is_made(number) then return true end
  local from = '-'
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', keys.lanes[number])) do
    local at = {}
    for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
    if at.name == GROUP then from = '(' .. at['last-delivered-id'] end
  end
  local page = redis.call('XRANGE', keys.lanes[number], from, purge.created_ms, 'COUNT', math.min(limit - deleted, 1 + math.floor(limit / 4)))
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
  deleted = deleted + #entries
  return #page == 0
end

local function purge_waiting()
  for number = 1, #keys.lanes do
    while not purge_lane(number) do
      if deleted >= limit or bytes > BUDGET then return false end
    end
  end
  return true
end

local function purge_parked(ids)
  local envelopes = redis.call('HMGET', keys.parked, unpack(ids))
  redis.call('HDEL', keys.parked, unpack(ids)) -- before their keys are left, as one may follow another
  for i, envelope in ipairs(envelopes) do
    if envelope then
      local task, headers, payload = unseal(envelope)
      bytes = bytes + #payload
      let_go(ids[i], task, headers)
    end
  end
  deleted = deleted + #ids
end

-- Those that were born since stay; `passed` says how many of them stand before the place where it goes on.
local function purge_delayed()
  local passed = purge.passed or 0
  local page, old = redis.call('ZRANGE', keys.delayed, passed, passed + limit - 1), {}
  for _, id in ipairs(page) do
    if (birth_of(id) or 0) <= purge.created_ms then old[#old + 1] = id else passed = passed + 1 end
  end
  if #old > 0 then
    purge_parked(old)
    redis.call('ZREM', keys.delayed, unpack(old))
  end
  purge.passed = passed
  return #page < limit
end

local function purge_held()
  local cursor, found = unpack(redis.call('HSCAN', keys.parked, purge.cursor or '0', 'COUNT', limit))
  local held = {}
  for i = 1, #found, 2 do
    local id = found[i]
    if (birth_of(id) or 0) <= purge.created_ms and not redis.call('ZSCORE', keys.delayed, id) then held[#held + 1] = id end
  end
  for i = 1, #held, 1000 do purge_parked({ unpack(held, i, math.min(#held, i + 999)) }) end
  purge.cursor = cursor
  return cursor == '0'
end

local function purge_ended(order)
  local ids
  if order == keys.completed then
    ids = redis.call('LPOP', order, limit) or {}
  else
    ids = redis.call('ZRANGE', order, '-inf', purge.created_ms + 1, 'BYSCORE', 'LIMIT', 0, limit)
    each('ZREM', order, ids)
  end
  each('HDEL', keys.finished, ids)
  deleted = deleted + #ids
  return #ids < limit
end

local STEPS = {
  waiting = purge_waiting, delayed = purge_delayed, held = purge_held,
  completed = function() return purge_ended(keys.completed) end,
  failed = function() return purge_ended(keys.failures) end,
  cancelled = function() return purge_ended(keys.cancelled) end,
  expired = function() return purge_ended(keys.expired) end,
}
local step = STEPS[purge.left[1]]
if not step or step() then
  table.remove(purge.left, 1)
  purge.passed, purge.cursor = nil, nil
end
purge.done = purge.done + deleted
if #purge.left == 0 then end_operation(purge, 'done') end
write_operation(args.operation, purge)
return { purge.state, deleted }

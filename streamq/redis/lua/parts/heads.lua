-- The first jobs in the lines of groups, for gate.lua alone, which says by `popped` how many it takes of each line, and by
-- `served` how many it counts no more.
-- parts: unseal lane_of

-- Ids at the heads of lines, and the envelopes of those that are held there.
local lists, envelopes, slots = {}, {}, {}
local LOOKS = 1000 -- ids that are passed over in a call: those of jobs that left the line before their turn
local looks = 0
-- Ids of jobs that went to the end of their lines in this call, as they cost too much: where one is met again, there is no
-- other. And their groups, with the scope for which these wait.
local costly = {}

local function look_at(names, count)
  local ids = {}
  for _, name in ipairs(names) do
    local from = popped[name] or 0
    local list = redis.call('LRANGE', name, from, from + count - 1)
    list.at, list.whole = 1, #list < count
    for i = 1, #list do ids[#ids + 1] = list[i] end
    lists[name] = list
  end
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    local found = redis.call('HMGET', keys.parked, unpack(slice))
    for i = 1, #slice do
      if envelopes[slice[i]] ~= false then envelopes[slice[i]] = found[i] or nil end
    end
    if has_delayed then
      for i, due in ipairs(redis.call('ZMSCORE', keys.delayed, unpack(slice))) do
        if due and envelopes[slice[i]] then envelopes[slice[i]] = nil end
      end
    end
    if has_back then
      for i, told in ipairs(redis.call('HMGET', keys.out, unpack(slice))) do slots[slice[i]] = told or nil end
    end
  end
end

-- Whether a job that is held left this line for that of another group or priority.
local function is_stray(name, envelope)
  if not has_strays then return false end
  -- parts: group_of
  local _, headers = unseal(envelope)
  local prefix, group = keys.line .. lane_of(headers) .. ':', group_of(headers)
  if group then return name ~= prefix .. group end
  return string.sub(name, 1, #prefix + 1) ~= prefix .. '*'
end

-- The first job in a group's line that is held there, its envelope, and the list; nil when none is left.
local function head_in(name)
  while true do
    local list = lists[name]
    if not list then
      look_at({ name }, 4)
      list = lists[name]
    end
    local id = list[list.at]
    if id and costly[id] then return nil end
    if not id then
      if list.whole then return nil end
      lists[name] = nil
    elseif envelopes[id] and not is_stray(name, envelopes[id]) then
      return id, envelopes[id], name, list
    else
      looks = looks + 1
      if looks > LOOKS then return nil end
      list.at, popped[name] = list.at + 1, (popped[name] or 0) + 1
      local star = string.match(name, ':(%*[^:]*)$')
      if star then served[star] = (served[star] or 0) + 1 end -- there, who has left is counted until now
    end
  end
end

-- That of the highest priority, but for one that has its slot: it had its turn already.
local function head_of(group)
  local first, first_name
  for _, prefix in ipairs(PRIORITY) do
    local name = prefix .. group
    local id = head_in(name)
    if id and (not has_back or slots[id]) then return id, envelopes[id], name, lists[name] end
    if id and not first then first, first_name = id, name end
  end
  if first then return first, envelopes[first], first_name, lists[first_name] end
end

-- One of a group that has its slot, and is not the first of its line, goes there. Returns whether there is one.
local function holder_first(group)
  for _, prefix in ipairs(PRIORITY) do
    local name = prefix .. group
    local ids = redis.call('LRANGE', name, (popped[name] or 0) + 1, (popped[name] or 0) + 100)
    for i, told in ipairs(#ids > 0 and redis.call('HMGET', keys.out, unpack(ids)) or {}) do
      if told and envelopes[ids[i]] ~= false and redis.call('HEXISTS', keys.parked, ids[i]) == 1 and not redis.call('ZSCORE', keys.delayed, ids[i]) then
        if popped[name] then redis.call('LPOP', name, popped[name]) end
        popped[name], lists[name] = nil, nil
        redis.call('LREM', name, 1, ids[i])
        redis.call('LPUSH', name, ids[i])
        return true
      end
    end
  end
  return false
end

-- Jobs with a unique key: which job stands when one meets another.
-- parts: standing places unseal seal rewritten own_headers placed lane_of add_to park due signal_due

-- Where a job is that has not ended: its lane, entry and holder, or true where it is parked; nil when it has ended.
local function living(id)
  local number, entry = entry_of(id)
  if number then return number, entry, (holder_of(number, entry)) end
  if redis.call('HEXISTS', keys.parked, id) == 1 then return true end
end

-- Headers of a job that takes the place of another: its own, with the id that stands and one more change.
local function replacing(id, before, headers)
  local version = count_of(split(before), 'version') + 1
  return rewritten(split(headers), id, { version = true }, ',"version":' .. version)
end

-- The job `i` of the arguments takes the place of one that has not begun, under its id.
local function replace(id, i, number, entry)
  if number == true then
    local before = redis.call('HGET', keys.parked, id)
    local _, headers = unseal(before)
    redis.call('HSET', keys.parked, id, seal(ARGV[i], replacing(id, headers, ARGV[i + 2]), ARGV[i + 1]))
    return
  end
  local _, _, before = read(keys.lanes[number], entry)
  local headers = replacing(id, before, ARGV[i + 2])
  local to = number == lane.alone and number or lane_of(headers)
  placed(id, to, add_to(to, ARGV[i], ARGV[i + 1], headers))
  redis.call('XDEL', keys.lanes[number], entry)
end

-- Put a delayed job off, but not past so many ms after its birth.
local function put_off(id, i)
  local due, longest = now + ARGV[i + 7], tonumber(ARGV[i + 8])
  if longest then due = math.min(due, tonumber(string.match(id, '^%d+')) + longest) end
  local head = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
  redis.call('ZADD', keys.delayed, due, id)
  if not head[2] or due < tonumber(head[2]) then signal_due(due) end
end

local function follow(key, id, taken, rest, i, latest)
  local followers = {}
  for other in string.gmatch(rest, '%S+') do followers[#followers + 1] = other end
  local last = followers[#followers]
  if latest and last and redis.call('HEXISTS', keys.parked, last) == 1 then
    replace(last, i, true)
    return last, 'replaced'
  end
  local own = parked_id()
  redis.call('HSET', keys.parked, own, seal(ARGV[i], with_id(own, ARGV[i + 2]), ARGV[i + 1]))
  stand(key, id, taken, rest .. ' ' .. own)
  return own, 'following'
end

-- A new job under a key that is free.
local function take_key(key, i, due, create)
  local taken = ARGV[i + 6]
  if taken == 'debounce' then due = due or now + ARGV[i + 7] end
  local id = create(i, due)
  if taken == 'window' then
    taken = string.format('%.0f', now + ARGV[i + 7])
    redis.call('ZADD', keys.windows, taken, key)
  elseif taken == 'debounce' then
    taken = 'started'
  end
  stand(key, id, taken)
  return id
end

-- The job `i` of the arguments has a key. Returns the id of the job that stands, and how it came to that unless it is new.
local function admit_unique(i, due, create)
  local key, conflict = ARGV[i + 5], ARGV[i + 9]
  local id, taken, rest = standing_of(key)
  local ends = tonumber(taken)
  if not id or ends and ends <= now then return take_key(key, i, due, create) end
  local number, entry, holder = living(id)
  if ends then return id, 'existing' end
  if not number then return take_key(key, i, due, create) end -- its job is gone, by whatever way
  local active = holder and holder ~= ''
  if ARGV[i + 6] == 'debounce' then
    if active then return take_key(key, i, due, create) end
    replace(id, i, number, entry)
    if number == true and redis.call('ZSCORE', keys.delayed, id) then put_off(id, i) end
    return id, 'replaced'
  end
  if conflict == 'queue' then return follow(key, id, taken, rest, i, false) end
  if conflict == 'keep' or active and conflict == 'replace' then return id, 'existing' end
  if active then return follow(key, id, taken, rest, i, true) end
  replace(id, i, number, entry)
  return id, 'replaced'
end

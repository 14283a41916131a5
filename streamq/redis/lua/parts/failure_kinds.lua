-- Failed jobs that failed alike are a kind: they share the fingerprint that their records say. What is known of a kind
-- stays when its jobs are retried or deleted, so that one sees when it began. (`streamq/model/failure_kinds.py` reads it.)
-- parts: clock each kept_json

local KINDS = 1000  -- at most so many, of 3 kB at most; failures beyond are in the kind `other`
local OTHER = 'other'
local HOURS = 24
local TIDIED = 20    -- kinds looked at when there is no room
local TRIES = 4      -- and how often in one call

-- Task and outcome of a record.
local function failure_of(record)
  local first = string.find(record, '\n', 1, true) or #record
  local second = string.find(record, '\n', first + 1, true) or #record
  local third = string.find(record, '\n', second + 1, true) or #record
  local fourth = string.find(record, '\n', third + 1, true) or #record + 1
  return string.sub(record, first + 1, second - 1), string.sub(record, third + 1, fourth - 1)
end

local function told_of(outcome)
  local read, said = pcall(cjson.decode, outcome)
  return read and type(said) == 'table' and said or {}
end

local function fingerprint_of(task, outcome)
  local said = string.match(outcome, '^{"fingerprint":"(%x+)"')
  if said then return said end
  return string.sub(redis.sha1hex(task .. '\n' .. tostring(told_of(outcome).type or '') .. '\n\n'), 1, 12)
end

-- Whether any job of a kind is failed now.
local function is_empty(fingerprint)
  return #redis.call('ZRANGE', keys.fingerprinted, '[' .. fingerprint .. '\n', '(' .. fingerprint .. '\v', 'BYLEX', 'LIMIT', 0, 1) == 0
end

local kinds = {} -- those of this call, whose jobs are noted at its end

-- Forget kinds without failed jobs, of some that are looked at; with `before`, those that were last seen before it.
local function tidy_kinds(before)
  for _, name in ipairs(redis.call('HRANDFIELD', keys.failure_kinds, TIDIED)) do
    local last = before and tonumber(string.match(redis.call('HGET', keys.failure_kinds, name), '"last":(%d+)') or 0) or 0
    if not kinds[name] and last < (before or 1) and is_empty(name) then redis.call('HDEL', keys.failure_kinds, name) end
  end
end

local full
local tries = 0
local function has_room()
  if full == nil then
    full = redis.call('HLEN', keys.failure_kinds) >= KINDS
    if full and tries < TRIES then
      tries = tries + 1
      tidy_kinds()
      full = redis.call('HLEN', keys.failure_kinds) >= KINDS
    end
  end
  return not full
end

-- As much of a text as fits, not ending amid a character.
local function cut(value, longest)
  value = tostring(value or '')
  while longest < #value and string.find(value, '^[\128-\191]', longest + 1) do longest = longest - 1 end
  return string.sub(value, 1, longest)
end

local function kind_of(fingerprint, task, outcome)
  local kept = redis.call('HGET', keys.failure_kinds, fingerprint)
  local kind = kept_json(kept)
  if kind then return kind end
  local said = told_of(outcome)
  full = nil -- it takes a place
  return { task = cut(task, 800), type = cut(said.type, 200), message = cut(said.message, 500), frame = cut(said.frame, 200), first = now, count = 0 }
end

local function counted(kind, more, sample)
  local hour = math.floor(now / 3600000)
  local hours = type(kind.hours) == 'table' and kind.hours or {}
  for _ = 1, math.min(HOURS, hour - (number_in(kind.hour) or hour)) do hours[#hours + 1] = 0 end
  if #hours == 0 then hours[1] = 0 end
  hours[#hours] = (number_in(hours[#hours]) or 0) + more
  local latest = {}
  for i = math.max(1, #hours - HOURS + 1), #hours do latest[#latest + 1] = hours[i] end
  kind.hours, kind.hour, kind.last, kind.sample = latest, hour, now, sample
  kind.count = (number_in(kind.count) or 0) + more
  return cjson.encode(kind)
end

-- Jobs have failed for good. `records` alternates id and record, all of it or a part.
local function note_failures(records, from, to)
  local named, members, counts, samples = {}, {}, {}, {}
  for i = from or 1, to or #records, 2 do
    local id, task, outcome = records[i], failure_of(records[i + 1])
    local fingerprint = fingerprint_of(task, outcome)
    if not kinds[fingerprint] then
      if redis.call('HEXISTS', keys.failure_kinds, fingerprint) == 0 and not has_room() then fingerprint = OTHER end
      if not kinds[fingerprint] then
        if fingerprint == OTHER then task, outcome = '', '' end -- those in it have nothing in common
        kinds[fingerprint] = kind_of(fingerprint, task, outcome)
        if redis.call('HEXISTS', keys.failure_kinds, fingerprint) == 0 then redis.call('HSET', keys.failure_kinds, fingerprint, '{}') end
      end
    end
    counts[fingerprint], samples[fingerprint] = (counts[fingerprint] or 0) + 1, id
    local n = #named
    named[n + 1], named[n + 2] = id, fingerprint
    members[n + 1], members[n + 2] = 0, fingerprint .. '\n' .. id
  end
  for fingerprint, kind in pairs(kinds) do
    redis.call('HSET', keys.failure_kinds, fingerprint, counted(kind, counts[fingerprint], samples[fingerprint]))
  end
  each('HSET', keys.fingerprints, named)
  each('ZADD', keys.fingerprinted, members)
end

-- An entry of the records of a service: `v` and its key name it, or `c` where it counts, and it begins with its version.
-- Each has an end, and the hash ends with the last of them, so that nothing stays of what nobody writes any more.
-- parts: clock each

local LONGEST = 3660 * 86400000 -- ms for which an entry may be kept: an end beyond is none that was written here

-- An entry and its end, in ms since the epoch; nothing where there is none, or not any more, or what somebody else wrote.
local function entry_of(field)
  local ends = tonumber(redis.call('ZSCORE', keys.records_ends, field) or nil)
  if not ends or ends <= now then return nil end
  local kept = redis.call('HGET', keys.records, field)
  local version = string.match(kept or '', string.sub(field, 1, 1) == 'v' and '^(%d+)\n' or '^(%d+) %d')
  if not version or #version > 16 then return nil end
  return kept, math.min(ends, now + LONGEST)
end

-- A number that is higher than all that the field had before: microseconds of the server's clock.
local function next_version(kept)
  local before = tonumber(kept and #(string.match(kept, '^%d+') or '') <= 16 and string.match(kept, '^%d+') or 0)
  return math.max(clock[1] * 1000000 + clock[2], before + 1)
end

-- Whether there is room for one more. Some of those whose time is over are forgotten first.
local function has_room(limit)
  local over = redis.call('ZRANGE', keys.records_ends, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
  each('HDEL', keys.records, over)
  each('ZREM', keys.records_ends, over)
  return redis.call('HLEN', keys.records) < tonumber(limit)
end

-- Write an entry that ends after so many ms.
local function keep_entry(field, text, lifetime)
  redis.call('HSET', keys.records, field, text)
  redis.call('ZADD', keys.records_ends, now + lifetime, field)
  local last = redis.call('ZRANGE', keys.records_ends, 0, 0, 'REV', 'WITHSCORES')[2]
  local life = string.format('%.0f', math.min(last - now, LONGEST) + 1000)
  redis.call('PEXPIRE', keys.records, life)
  redis.call('PEXPIRE', keys.records_ends, life)
end

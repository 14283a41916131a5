-- What `unique` says of a key: the id of its job, until what it is taken (`done`, `started`, or the ms at which its window
-- ends), and the ids of the jobs that follow.
local function standing_of(key)
  local told = redis.call('HGET', keys.unique, key)
  if not told then return nil end
  local id, taken, rest = string.match(told, '^(%S+) (%S+)(.*)$')
  return id, taken, rest or ''
end

local function stand(key, id, taken, rest)
  redis.call('HSET', keys.unique, key, id .. ' ' .. taken .. (rest or ''))
end

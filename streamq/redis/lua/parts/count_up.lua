-- A number in a hash grows by so many; what somebody else wrote there, and is none, counts as nothing. Returns what it is then.
local function count_up(key, name, by)
  local count = redis.pcall('HINCRBY', key, name, by)
  if type(count) == 'number' then return count end
  redis.call('HSET', key, name, by) -- an error where the key is no hash
  return by
end

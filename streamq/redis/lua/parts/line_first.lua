-- A job that comes back is among the first of its line: behind others that came back and were born before it.
-- parts: birth
local function line_first(list, id)
  local before
  for _, other in ipairs(redis.call('LRANGE', list, 0, 15)) do
    local envelope = redis.call('HGET', keys.parked, other)
    local is_back = envelope and (string.find(envelope, '"returned"', 1, true) or redis.call('HEXISTS', keys.out, other) == 1)
    if not is_back or (birth_of(other) or 0) > (birth_of(id) or 0) then break end
    before = other
  end
  if before then redis.call('LINSERT', list, 'AFTER', before, id) else redis.call('LPUSH', list, id) end
end

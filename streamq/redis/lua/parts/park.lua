-- Park jobs until they are due. `envelopes` alternates id and envelope, all of it or a part; `dues` due time and id.
-- Returns the earliest due time when that is earlier than whatever the promoters wait for.
-- parts: each
local function park(dues, envelopes, from, to)
  if #dues == 0 then return nil end
  local head, earliest = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES'), dues[1]
  for i = 3, #dues, 2 do earliest = math.min(earliest, dues[i]) end
  each('HSET', keys.parked, envelopes, from, to)
  each('ZADD', keys.delayed, dues)
  return (#head == 0 or earliest < tonumber(head[2])) and earliest or nil
end

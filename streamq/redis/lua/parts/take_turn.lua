-- A group in whose line jobs wait is to have its turn, unless it is to have it already: behind those that were served
-- less for their weight. (Start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996.) Whether its limits are open is
-- looked at when its turn has come.
-- parts: tenant_of weight_of

local virtual_time

-- Tenants that come while nobody is served would all have their first turns before any has its second, whatever their
-- weights: these are spread over a turn of each.
local function spread(tenant)
  local before = redis.call('HINCRBY', keys.gate, 'entered', 1) - 1
  if before == 0 then return 0 end
  local ran = tonumber(redis.call('HGET', keys.gate, 'ran') or nil) -- in turns by run time
  return math.floor((ran and ran * 1000 or 1000000) / weight_of(tenant) * (before * 0.6180339887 % 1))
end

local function take_turn(group)
  local tenant, part = tenant_of(group)
  local inner = keys.parts .. tenant
  if part then redis.call('HSET', keys.gate, 'parts', 1) end
  if part or redis.call('EXISTS', inner) == 1 then
    local head = redis.call('ZRANGE', inner, 0, 0, 'WITHSCORES')
    redis.call('ZADD', inner, 'NX', head[2] or 0, part or '')
    if part and #head == 0 and redis.call('ZSCORE', keys.lines, tenant) then redis.call('ZADD', inner, 'NX', 0, '') end
  end
  if redis.call('ZSCORE', keys.turns, tenant) then return end
  virtual_time = virtual_time or tonumber(redis.call('HGET', keys.gate, 'time') or 0)
  local tag = tonumber(redis.call('ZSCORE', keys.rested, tenant) or 0)
  if tag > 0 then redis.call('ZREM', keys.rested, tenant) end
  if tag <= virtual_time then tag = virtual_time + spread(tenant) end
  redis.call('ZADD', keys.turns, string.format('%d', tag), tenant)
end

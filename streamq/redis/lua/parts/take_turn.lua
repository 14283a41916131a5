-- A group in whose line jobs wait is to have its turn, unless it is to have it already: behind those that were served
-- less for their weight. (Start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996.) Whether its limits are open is
-- looked at when its turn has come.
-- parts: tenant_of

local virtual_time

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
  redis.call('ZADD', keys.turns, math.max(tag, virtual_time), tenant)
  if tag > 0 then redis.call('ZREM', keys.rested, tenant) end
end

-- What was drawn of the queue's leases is written, and the leaser is told of what is short.
-- parts: lease publish
local function write_lease(name, lease)
  redis.call('HSET', keys.leases, name, string.format('%s %s %.0f %s %d %.0f', lease.hold or '-',
    lease.has_rate and lease.start or '-', lease.ends, lease.token, lease.spent, lease.last))
end

-- To be called at the end: what was drawn is written, and the leaser is told of what is short, with how much could start
-- at once.
local function write_leases(free)
  for name, lease in pairs(leases) do
    if lease and lease.is_drawn then write_lease(name, lease) end
  end
  for name, units in pairs(asked) do short[name] = short[name] or units end
  for name, units in pairs(short) do
    local is_new = redis.call('HSET', keys.leases, name .. ' short', units .. ' ' .. math.max(units, units * free)) == 1
    if is_new then redis.pcall(PUBLISH, keys.signals, 'lease ' .. name .. '\n\n') end
  end
end

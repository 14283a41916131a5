-- The queues that draw from a shared limit.
local function shared_queues(name)
  local queues = {}
  for _, field in ipairs(redis.call('HKEYS', keys.shared_lease .. name)) do queues[#queues + 1] = string.match(field, '^queue (.*)$') end
  return queues
end

-- Operations by filter that are for the same jobs: of the same states, and by the same filter, or one of them is for all
-- jobs of its states.

local function are_shared(states, others)
  for _, state in ipairs(states) do
    for _, other in ipairs(others) do
      if state == other then return true end
    end
  end
  return false
end

-- The id of a running operation that is for the same jobs as the one that begins.
local function rival_of(begun)
  local kept = redis.call('HGETALL', keys.operations)
  for i = 1, #kept, 2 do
    local read, other = pcall(cjson.decode, kept[i + 1])
    if read and type(other) == 'table' and other.state == 'running' and type(other.filter) == 'string' and type(other.states) == 'table' then
      local same = other.filter == begun.filter or other.whole or begun.whole
      if same and are_shared(begun.states, other.states) then return kept[i] end
    end
  end
end

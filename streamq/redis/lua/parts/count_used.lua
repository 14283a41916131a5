-- How many jobs of each scope are past the gate is changed by so many: all scopes at once.
-- parts: each add_many
local function count_used(by_scope)
  local scopes, changed, gone = {}, {}, {}
  for scope in pairs(by_scope) do scopes[#scopes + 1] = scope end
  for from = 1, #scopes, 1000 do
    local slice = { unpack(scopes, from, math.min(from + 999, #scopes)) }
    for i, before in ipairs(redis.call('HMGET', keys.used, unpack(slice))) do
      local after = (tonumber(before) or 0) + by_scope[slice[i]]
      if after > 0 then changed[#changed + 1], changed[#changed + 2] = slice[i], string.format('%d', after) else gone[#gone + 1] = slice[i] end
    end
  end
  add_many(keys.used, changed)
  each('HDEL', keys.used, gone)
end

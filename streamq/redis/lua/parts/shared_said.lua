-- What is said of a shared limit, by code and by operators, who go before; and its pause.
local function shared_said(name)
  local said = redis.call('HMGET', keys.shared, 'code ' .. name, 'told ' .. name, 'pause ' .. name)
  local limit = {}
  for _, text in ipairs({ said[1] or '', said[2] or '' }) do
    for part, value in string.gmatch(text, '(%l+)=([^ ]+)') do limit[part] = value ~= '-' and tonumber(value) or nil end
  end
  if not (limit.starts and limit.window) then limit.starts, limit.window = nil, nil end
  limit['until'], limit.pause = tonumber(string.match(said[3] or '', '^%d+')), said[3] or ''
  return limit
end

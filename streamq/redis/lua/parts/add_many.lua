-- Many fields come into a hash at once. One that is small the server keeps as a list, and looks through all of it for each
-- field; a value that is too long for that makes it a table from the first one on.
-- parts: each
local LONG = string.rep('-', 65)

local function add_many(key, list)
  local is_large = #list > 64 and redis.call('HLEN', key) < 128
  if is_large then redis.call('HSET', key, '', LONG) end
  each('HSET', key, list)
  if is_large then redis.call('HDEL', key, '') end
end

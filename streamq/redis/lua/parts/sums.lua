-- What was counted of a minute or an hour is a hash: a name, of which it was, and a JSON object of numbers. Those beyond
-- the names that are told apart are added up under `*`.
-- parts: kept_json

-- Add what is told of each name, from the argument `from` on, to a hash of so many fields, kept for so many ms.
local function add_sums(key, from, room, life)
  if redis.call('HEXISTS', key, '*') == 0 then redis.call('HSET', key, '*', '{}') end
  for at = from, #ARGV, 2 do
    local field = ARGV[at]
    if field ~= '*' and redis.call('HEXISTS', key, field) == 0 and redis.call('HLEN', key) >= room then field = '*' end
    local sums = kept_json(redis.call('HGET', key, field)) or {}
    for name, more in pairs(cjson.decode(ARGV[at + 1])) do sums[name] = (number_in(sums[name]) or 0) + more end
    redis.call('HSET', key, field, cjson.encode(sums))
  end
  redis.call('PEXPIRE', key, life)
end

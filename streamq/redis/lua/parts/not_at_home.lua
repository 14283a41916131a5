-- Why what has its home by a group or a key cannot be added to a partition: 'partitions' where they have changed since the
-- caller looked, 'home' where nothing of its kind is left at an old home of it. Nothing where it can.
local function not_at_home()
  local closed = redis.call('HGET', keys.staying, '')
  if closed and tonumber(closed) > tonumber(args.generation) then return 'partitions' end
  if args.asks == '' then return end
  local here = 0
  for _, each in ipairs(cjson.decode(args.asks)) do
    local name = string.match(each, '^=?(.*)$')
    if redis.call('HEXISTS', keys.staying, name) == 1 then here = here + redis.call('HINCRBY', keys.staying, name, 1) end
  end
  if here == 0 then return 'home' end
end

#!lua
-- A piece of a key arrives, and the process that moves the queue shows that it lives. A list and a stream take a piece
-- only where they end as it was when the piece was read, so that none is taken twice.
-- keys: migrator target
-- arguments:
--   token       of the process
--   lease       ms for which nobody else may move the queue
--   kind        of the key; "group" for what a group of a stream has been given; "" for nothing but the sign of life
--   at          entries of the list, or the last entry of the stream ("0-0" for none)
--   life        ms until the key expires; 0 for never
--   items...    text; field and value; score and member; element; id, how many, and fields with values
-- returns 1; 0 where another process moves the queue; -1 where the key ends elsewhere
if redis.call('GET', keys.migrator) ~= args.token then return 0 end
redis.call('PEXPIRE', keys.migrator, args.lease)

local function all_by(command)
  if #ARGV >= first.items then redis.call(command, keys.target, unpack(ARGV, first.items)) end
end

if args.kind == 'string' then
  all_by('SET')
elseif args.kind == 'hash' then
  all_by('HSET')
elseif args.kind == 'zset' then
  all_by('ZADD')
elseif args.kind == 'list' then
  if redis.call('LLEN', keys.target) ~= tonumber(args.at) then return -1 end
  all_by('RPUSH')
elseif args.kind == 'stream' then
  local last = redis.call('XREVRANGE', keys.target, '+', '-', 'COUNT', 1)[1]
  if (last and last[1] or '0-0') ~= args.at then return -1 end
  local i = first.items
  while i <= #ARGV do
    local count = tonumber(ARGV[i + 1])
    redis.call('XADD', keys.target, ARGV[i], unpack(ARGV, i + 2, i + 1 + count))
    i = i + 2 + count
  end
elseif args.kind == 'group' then -- last id, entries added, highest deleted id; then name and last delivered id of each group
  local i = first.items
  for group = i + 3, #ARGV, 2 do
    local made = redis.pcall('XGROUP', 'CREATE', keys.target, ARGV[group], ARGV[group + 1], 'MKSTREAM')
    if made.err then redis.call('XGROUP', 'SETID', keys.target, ARGV[group], ARGV[group + 1]) end
  end
  redis.call('XSETID', keys.target, ARGV[i], 'ENTRIESADDED', ARGV[i + 1], 'MAXDELETEDID', ARGV[i + 2])
end
if args.life ~= '0' then redis.call('PEXPIRE', keys.target, args.life) end
return 1

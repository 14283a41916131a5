#!lua flags=allow-oom
-- A queue without jobs and records is closed, as one from another server is to come in its place.
-- keys: lanes migration parked finished records pairs...
-- arguments:
--   id      of the move
--   peer    where it comes from, for people
--   door    the text that stands where each of its keys will be
-- returns the phase of this move; "busy" where another one is under way, "used" where there is something
local id, phase = unpack(redis.call('HMGET', keys.migration, 'id', 'phase'))
if phase and id == args.id then return phase end
if phase and phase ~= 'left' and phase ~= 'here' then return 'busy' end
if phase ~= 'left' then
  local found = redis.call('HLEN', keys.parked) + redis.call('HLEN', keys.finished) + redis.call('HLEN', keys.records)
  for number = 1, #keys.lanes do found = found + redis.call('XLEN', keys.lanes[number]) end
  if found > 0 then return 'used' end
end
for at = 1, #keys.pairs, 2 do
  redis.call('UNLINK', keys.pairs[at], keys.pairs[at + 1])
  redis.call('SET', keys.pairs[at], args.door)
end
redis.call('DEL', keys.migration)
redis.call('HSET', keys.migration, 'id', args.id, 'peer', args.peer, 'phase', 'awaited')
return 'awaited'

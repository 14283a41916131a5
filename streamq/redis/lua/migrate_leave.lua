#!lua flags=allow-oom
-- A queue of which no job runs is closed: its keys go aside, and a text stands where each was.
-- keys: lanes migration steering pairs...
-- arguments:
--   id      of the move
--   door    the text
-- returns how many jobs run, and does nothing where any does; 0 when it is closed; -1 where this move is not under way
local id, phase, paused = unpack(redis.call('HMGET', keys.migration, 'id', 'phase', 'paused'))
if id ~= args.id then return -1 end
if phase == 'closed' then return 0 end
if phase ~= 'leaving' then return -1 end
local active = 0
for number = 1, #keys.lanes do
  local said = redis.pcall('XPENDING', keys.lanes[number], GROUP)
  active = active + (said.err and 0 or said[1])
end
if active > 0 then return active end

if paused == '' then
  redis.call('HDEL', keys.steering, 'paused')
else
  redis.call('HSET', keys.steering, 'paused', paused)
end
for at = 1, #keys.pairs, 2 do
  if redis.call('EXISTS', keys.pairs[at]) == 1 then redis.call('RENAME', keys.pairs[at], keys.pairs[at + 1]) end
  redis.call('SET', keys.pairs[at], args.door)
end
redis.call('HSET', keys.migration, 'phase', 'closed')
return 0

#!lua flags=allow-oom
-- A queue opens: what lies aside gets its names, in the place of the texts. One that was to leave, and has not been
-- closed, goes on with what was told of a pause before.
-- keys: migration steering signals pairs...
-- arguments:
--   id       of the move
--   phase    in which it has to be
--   next     the one that follows; "" where the move is given up, and nothing is to be known of it
-- returns the phase in which the move is then; nothing where another one is under way
local id, phase = unpack(redis.call('HMGET', keys.migration, 'id', 'phase'))
if id ~= args.id then return false end
if phase ~= args.phase then return phase end
if phase == 'leaving' then
  local paused = redis.call('HGET', keys.migration, 'paused')
  if paused == '' then
    redis.call('HDEL', keys.steering, 'paused')
  else
    redis.call('HSET', keys.steering, 'paused', paused)
  end
end
for at = 1, phase == 'leaving' and 0 or #keys.pairs, 2 do
  if redis.call('EXISTS', keys.pairs[at + 1]) == 1 then
    redis.call('RENAME', keys.pairs[at + 1], keys.pairs[at])
  else
    redis.call('UNLINK', keys.pairs[at])
  end
end
if args.next == '' then
  redis.call('DEL', keys.migration)
else
  redis.call('HSET', keys.migration, 'phase', args.next)
end
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
return args.next

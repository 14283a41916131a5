#!lua flags=allow-oom
-- Some keys of a queue get other names, and the move goes on to its next phase.
-- keys: migration pairs...
-- arguments:
--   id       of the move
--   phase    in which it has to be
--   next     the one that follows
-- returns the phase in which the move is then; nothing where another one is under way
local id, phase = unpack(redis.call('HMGET', keys.migration, 'id', 'phase'))
if id ~= args.id then return false end
if phase ~= args.phase then return phase end
for at = 1, #keys.pairs, 2 do
  if redis.call('EXISTS', keys.pairs[at]) == 1 then redis.call('RENAME', keys.pairs[at], keys.pairs[at + 1]) end
end
if args.next ~= phase then redis.call('HSET', keys.migration, 'phase', args.next) end
return args.next

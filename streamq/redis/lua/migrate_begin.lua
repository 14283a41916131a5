#!lua flags=allow-oom
-- A queue begins to move to another server. What was told of a pause before is kept, as a pause follows.
-- keys: migration steering
-- arguments:
--   id      of the move
--   peer    where it goes, for people
-- returns what is known of the move: of one that is under way or is over, or of this one
local phase = redis.call('HGET', keys.migration, 'phase')
if phase and phase ~= 'here' then return redis.call('HGETALL', keys.migration) end
local paused = redis.call('HGET', keys.steering, 'paused') or ''
redis.call('DEL', keys.migration)
redis.call('HSET', keys.migration, 'id', args.id, 'peer', args.peer, 'phase', 'leaving', 'paused', paused)
return redis.call('HGETALL', keys.migration)

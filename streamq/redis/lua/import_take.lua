#!lua flags=allow-oom
-- Jobs of another job system are taken out of a list or a sorted set of it, and noted in a hash beside it until they are
-- here.
-- keys: place hold
-- arguments:
--   kind       "list" or "zset"
--   jobs...    id, and what is noted of it
-- returns the ids of those that were there, or are noted already
local taken = {}
for i = first.jobs, #ARGV, 2 do
  local removed
  if args.kind == 'list' then
    removed = redis.call('LREM', keys.place, -1, ARGV[i])
  else
    removed = redis.call('ZREM', keys.place, ARGV[i])
  end
  if removed == 1 then redis.call('HSET', keys.hold, ARGV[i], ARGV[i + 1]) end
  if removed == 1 or redis.call('HEXISTS', keys.hold, ARGV[i]) == 1 then taken[#taken + 1] = ARGV[i] end
end
return taken

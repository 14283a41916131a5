#!lua flags=allow-oom
-- The retries of jobs whose handlers still run wait until those have returned. A job that is no longer delayed is left.
-- keys: delayed signals
-- arguments:
--   direction   "GT" to push due times out, "LT" to bring them nearer
--   jobs...     id and due time of each
-- returns how many due times have changed
-- parts: due
local changed, earliest = 0, nil
for i = first.jobs, #ARGV, 2 do
  local due = due_at(ARGV[i + 1])
  local moved = redis.pcall('ZADD', keys.delayed, 'XX', args.direction, 'CH', due, ARGV[i])
  if moved == 1 then
    changed = changed + 1
    if args.direction == 'LT' and (not earliest or due < earliest) then earliest = due end
  end
end
if earliest then
  -- parts: signal_due
  signal_due(earliest)
end
return changed

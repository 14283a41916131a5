#!lua flags=allow-oom
-- The retries of jobs whose handlers still run wait until those have returned. A job that is no longer delayed is left.
-- KEYS  1 delayed  2 signals (a channel)
-- ARGV  1 "GT" to push due times out, "LT" to bring them nearer  2… id and milliseconds from now of each
-- returns how many due times have changed
local changed, earliest = 0, nil
for i = 2, #ARGV, 2 do
  local due = now + ARGV[i + 1]
  local moved = redis.pcall('ZADD', KEYS[1], 'XX', ARGV[1], 'CH', due, ARGV[i])
  if moved == 1 then
    changed = changed + 1
    if ARGV[1] == 'LT' and (not earliest or due < earliest) then earliest = due end
  end
end
if earliest then signal_due(KEYS[2], earliest) end
return changed

#!lua flags=allow-oom
-- Reports of jobs that are nowhere any more are forgotten: their records were, or somebody has deleted them.
-- keys: lanes moved parked finished progress logs reports
-- arguments:
--   from     how many of the oldest are passed over
--   limit    at most how many are looked at
-- returns how many were looked at, and how many of these were forgotten
-- parts: places forget_reports
-- expects: progress logs
local ids, gone = redis.call('ZRANGE', keys.reports, args.from, args.from + args.limit - 1), {}
for _, id in ipairs(ids) do
  local is_there = redis.call('HEXISTS', keys.finished, id) == 1 or redis.call('HEXISTS', keys.parked, id) == 1
  if not is_there and not entry_of(id) then gone[#gone + 1] = id end
end
forget_reports(gone)
return { #ids, #gone }

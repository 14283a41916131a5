#!lua flags=allow-oom
-- The group of each lane, where it is not there yet; from the first entry, as none may be skipped.
-- KEYS  lanes
-- ARGV  1 group
for _, lane in ipairs(KEYS) do
  local made = redis.pcall('XGROUP', 'CREATE', lane, ARGV[1], '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
return 'OK'

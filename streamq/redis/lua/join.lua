#!lua flags=allow-oom
-- The group of each lane, where it is not there yet; from the first entry, as none may be skipped.
-- keys: lanes
for lane = 1, #keys.lanes do
  local made = redis.pcall('XGROUP', 'CREATE', keys.lanes[lane], GROUP, '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
return 'OK'

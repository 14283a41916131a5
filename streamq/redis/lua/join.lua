#!lua flags=allow-oom
-- The group of each lane, where it is not there yet; from the first entry, as none may be skipped. The lanes of jobs
-- with a priority are made when the first of these comes.
-- keys: lanes gate
for number = 1, #keys.lanes do
  local made = (number <= lane.always or redis.call('EXISTS', keys.lanes[number]) == 1)
    and redis.pcall('XGROUP', 'CREATE', keys.lanes[number], GROUP, '0', 'MKSTREAM') or {}
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
if redis.call('EXISTS', keys.bell) == 1 then redis.pcall('XGROUP', 'CREATE', keys.bell, GROUP, '0') end
return 'OK'

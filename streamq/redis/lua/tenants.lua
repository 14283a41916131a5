#!lua flags=no-writes,allow-oom
-- The first levels of the groups of a page of the jobs that are parked: delayed, held, and those in lines.
-- keys: parked
-- arguments:
--   cursor   "0" to begin
--   limit    about how many jobs
-- returns the cursor of the next page ("0" at the end), then each once
-- parts: unseal group_of
local cursor, found = unpack(redis.call('HSCAN', keys.parked, args.cursor, 'COUNT', args.limit))
local said, known = { cursor }, {}
for i = 2, #found, 2 do
  local _, headers = unseal(found[i])
  local group = group_of(headers or '')
  local tenant = group and string.match(group, '^[^:]+')
  if tenant and not known[tenant] then
    known[tenant] = true
    said[#said + 1] = tenant
  end
end
return said

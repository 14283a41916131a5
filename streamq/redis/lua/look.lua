#!lua flags=no-writes,allow-oom
-- What those who wait ask of their jobs.
-- keys: lanes moved parked finished
-- arguments:
--   bytes    to read at most
--   ids...
-- returns for each id its record, 1 while it is on its way, or 0; fewer than asked when the bytes are used up
-- parts: places
local said, room = {}, tonumber(args.bytes)

local function on_its_way(id)
  local lane, _, _, payload = entry_of(id)
  if lane then room = room - #payload end
  return lane or redis.call('HEXISTS', keys.parked, id) == 1
end

for i = first.ids, #ARGV do
  local record = is_id(ARGV[i]) and redis.call('HGET', keys.finished, ARGV[i])
  if record then room = room - #record end
  said[#said + 1] = record or (on_its_way(ARGV[i]) and 1 or 0)
  if room <= 0 then break end
end
return said

#!lua flags=no-writes,allow-oom
-- What those who wait ask of their jobs.
-- KEYS  1 ready  2 alone  3 moved  4 parked  5 finished
-- ARGV  1 bytes to read at most, then ids
-- returns for each id its record, 1 while it is on its way, or 0; fewer than asked when the bytes are used up
local said, room = {}, tonumber(ARGV[1])

local function on_its_way(id)
  local lane, _, _, payload = entry_of(id, KEYS, KEYS[3])
  if lane then room = room - #payload end
  return lane or redis.call('HEXISTS', KEYS[4], id) == 1
end

for i = 2, #ARGV do
  local record = is_id(ARGV[i]) and redis.call('HGET', KEYS[5], ARGV[i])
  if record then room = room - #record end
  said[#said + 1] = record or (on_its_way(ARGV[i]) and 1 or 0)
  if room <= 0 then break end
end
return said

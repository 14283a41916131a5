#!lua flags=no-writes,allow-oom
-- A page of the jobs that wait in a lane, those that no worker has, in their order.
-- keys: lanes
-- arguments:
--   lane     its number
--   after    entry to go on after ("" to begin)
--   last     entry to end with ("+" for all)
--   limit    at most how many
-- returns 1 when there may be more, else 0, and the entries
-- parts: made pages entry_size delivered comes_before
local number, limit = tonumber(args.lane), tonumber(args.limit)
if not is_made(number) then return { 0, {} } end

-- A worker may have taken what lies behind the place since.
local from, delivered = args.after, last_delivered(number)
if from == '' or comes_before(from, delivered) then from = delivered end

local found, bytes, count = {}, 0, 8
while #found < limit and bytes < BUDGET do
  local wanted = math.min(count, limit - #found)
  local page = redis.call('XRANGE', keys.lanes[number], '(' .. from, args.last, 'COUNT', wanted)
  for _, entry in ipairs(page) do
    found[#found + 1] = entry
    bytes = bytes + size_of(entry)
    from = entry[1]
  end
  if #page < wanted then return { 0, found } end
  count = next_count(count, #found, bytes)
end
return { 1, found }

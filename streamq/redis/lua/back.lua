#!lua flags=no-writes,allow-oom
-- A page of a list, latest first, from a place in it on. It grows at its tail and is cut at its head, so an id that is
-- gone was among the oldest, and all that come after it are gone too.
-- keys: list
-- arguments:
--   limit    at most how many
--   later    how many were later than the id when it was last seen ("" to begin)
--   id
-- returns how many are later than the last of the page, then the ids; or -1 and from where to look on for the id
local limit, later = tonumber(args.limit), tonumber(args.later)

-- By how many the id is preceded now: as many as then, or more. A call looks at 10,000 at most.
local function found()
  for from = later, later + 9000, 1000 do
    local slice = redis.call('LRANGE', keys.list, -from - 1000, -from - 1)
    for i = #slice, 1, -1 do
      if slice[i] == args.id then return from + #slice - i end
    end
    if #slice < 1000 then return nil end
  end
  return -1
end

local from = 0
if later then
  local at = found()
  if at == nil then return { 0 } end
  if at < 0 then return { -1, later + 10000 } end
  from = at + 1
end
local slice, said = redis.call('LRANGE', keys.list, -from - limit, -from - 1), { from + limit - 1 }
for i = #slice, 1, -1 do said[#said + 1] = slice[i] end
return said

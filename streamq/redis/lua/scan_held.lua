#!lua flags=no-writes,allow-oom
-- A page of the jobs that are held: all that is parked and not due at any time, in no order. The cursor finds each that
-- stays for as long as the search takes, and some of them twice.
-- keys: parked delayed
-- arguments:
--   cursor   "0" to begin
--   limit    at most about how many, and with a group five times as many of others
--   group    only those of this group, or of a part of it ("" for all)
-- returns the cursor to go on with ("0" at the end), how many were looked at, and id and envelope of each that is held
-- parts: pages
local cursor, limit, looked, bytes, count, said = args.cursor, tonumber(args.limit), 0, 0, 8, {}
local OTHERS = 5 -- of other groups cost as much as one that is told of

-- Whether it is of the group; most that are not are told by their text.
local function is_wanted(envelope)
  if args.group == '' then return true end
  if not string.find(envelope, args.group, 1, true) then return false end
  -- parts: group_of unseal
  local _, headers = unseal(envelope)
  local group = group_of(headers)
  return group == args.group or group and string.sub(group, 1, #args.group + 1) == args.group .. ':'
end

repeat
  local at, found = unpack(redis.call('HSCAN', keys.parked, cursor, 'COUNT', count))
  for i = 1, #found, 2 do
    bytes = bytes + #found[i + 1]
    if is_wanted(found[i + 1]) and not redis.call('ZSCORE', keys.delayed, found[i]) then
      said[#said + 1], said[#said + 2] = found[i], found[i + 1]
    end
  end
  cursor, looked = at, looked + #found / 2
  local cost = args.group == '' and looked or math.ceil(#said / 2 + (looked - #said / 2) / OTHERS)
  count = math.max(1, math.min(limit - cost, looked > 0 and next_count(count, looked, bytes + looked) or count))
until cursor == '0' or cost >= limit or bytes > BUDGET
return { cursor, looked, said }

#!lua flags=no-writes,allow-oom
-- Entries of the records of a service, those that end first in front.
-- keys: records records_ends
-- arguments:
--   limit    entries at most, and half a megabyte and one beyond
--   ends     of the last entry that was told, in ms; "" to begin
--   last     its key
-- returns for each its key, its version and value, and its end in ms
-- parts: clock entry
local limit, after, last, found = tonumber(args.limit), tonumber(args.ends) or now, 'v' .. args.last, {}
local bytes = 0
-- Entries that end with the last one are passed over up to it; if it is there no more, some are told again.
local passing = tonumber(redis.call('ZSCORE', keys.records_ends, last) or nil) == after
for at = 0, 9 do -- what ends in one millisecond may be more than a page
  local page = redis.call('ZRANGE', keys.records_ends, after, '+inf', 'BYSCORE', 'LIMIT', 500 * at, 500, 'WITHSCORES')
  for member = 1, #page, 2 do
    local field = page[member]
    local kept = not passing and string.sub(field, 1, 1) == 'v' and entry_of(field)
    if kept then
      for _, each_part in ipairs({ string.sub(field, 2), kept, page[member + 1] }) do found[#found + 1] = each_part end
      bytes = bytes + #kept
      if #found == 3 * limit or bytes > 524288 then return found end
    end
    passing = passing and field ~= last
  end
  if #page < 1000 then break end
end
return found

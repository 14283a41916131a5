#!lua
-- What happened in a window that ends now is counted, in slices of it: the oldest counts as a whole while any of it is in
-- the window, so the sum is never too low.
-- keys: records records_ends
-- arguments:
--   counter
--   by        how many more
--   slice     ms
--   slices    how many of them are a window
--   limit     at most how many entries there may be
-- returns the sum, as text; nothing where there is no room
-- parts: clock entry
-- expects: records records_ends
local slice, slices = tonumber(args.slice), tonumber(args.slices)
local kept = entry_of(args.counter)
local this, counts, sum = math.floor(now / slice), {}, 0
-- `version slice` and pairs of the number of a slice and its count; those of another slice length are begun anew
local length, listed = string.match(kept or '', '^%d+ (%d+)(.*)')
if tonumber(length) == slice then
  for number, count in string.gmatch(listed, ' (%d+):(%d+)') do
    number, count = math.min(tonumber(number), this), tonumber(count) -- a later one: the clock was set back since
    local last = counts[#counts]
    if last and last[1] == number then
      last[2] = last[2] + count
    elseif number >= this - slices then
      counts[#counts + 1] = { number, count }
    end
  end
end
local by = tonumber(args.by)
if by > 0 then
  if not kept and not has_room(args.limit) then return false end
  if #counts > 0 and counts[#counts][1] == this then
    counts[#counts][2] = counts[#counts][2] + by
  else
    counts[#counts + 1] = { this, by }
  end
end
local text = { string.format('%.0f %.0f', next_version(kept), slice) }
for _, each_slice in ipairs(counts) do
  sum = sum + each_slice[2]
  text[#text + 1] = string.format('%.0f:%.0f', each_slice[1], each_slice[2])
end
if by > 0 then keep_entry(args.counter, table.concat(text, ' '), slice * (slices + 1)) end
return string.format('%.0f', sum)

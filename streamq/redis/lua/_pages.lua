-- Pages of entries whose sizes are not known before they are read.

local function size_of(entry)
  local bytes = 16 -- its id
  for _, part in ipairs(entry[2]) do bytes = bytes + #part end
  return bytes
end

-- How many entries to read after `count`, when those read so far had so many bytes: twice as many, as far as they fit.
local function next_count(count, read_so_far, bytes)
  return math.max(1, math.min(2 * count, math.floor((BUDGET - bytes) * read_so_far / bytes)))
end

-- Pages of jobs whose sizes are not known before they are read.
-- parts: budget

-- How many to read after `count`, when those read so far had so many bytes: twice as many, as far as they fit.
local function next_count(count, read_so_far, bytes)
  return math.max(1, math.min(2 * count, math.floor((BUDGET - bytes) * read_so_far / bytes)))
end

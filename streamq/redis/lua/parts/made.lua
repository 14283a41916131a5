-- Whether a lane is there: those of jobs with a priority are made when the first comes.
local function is_made(number)
  return redis.call('EXISTS', keys.lanes[number]) == 1
end

-- The state of a finished job, by the letter with which its record begins.
local STATE_OF = {
  [mark.completed] = outcome.completed,
  [mark.failed] = outcome.failed,
  [mark.cancelled] = outcome.cancelled,
  [mark.expired] = outcome.expired,
}

local function state_of(record)
  return STATE_OF[string.sub(record, 1, 1)] or 'unreadable'
end

-- Outcomes of jobs that are to run again, where the end of some was asked for: these end instead.
-- parts: cancelled unseal

-- The entries, the ids, and a list of id and envelope of each with the due times after them, of those that are not
-- cancelled. `list` has the same of all from `at` on, and `ended` gets id and record of those that are.
local function spared(number, entries, ids, list, at, ended)
  local left, named, kept, dues = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local envelope, told = list[at + 2 * i - 1], redis.call('HGET', keys.cancels, id)
    if told then
      local task, headers, payload = unseal(envelope)
      cancel(ended, id, '', task, headers, payload, told)
      redis.call('XDEL', keys.lanes[number], entries[i])
    else
      left[#left + 1], named[#named + 1] = entries[i], id
      kept[#kept + 1] = id
      kept[#kept + 1] = envelope
      dues[#dues + 1] = list[at + 2 * #ids + i - 1]
    end
  end
  bury_cancelled(ended)
  for _, due in ipairs(dues) do kept[#kept + 1] = due end
  return left, named, kept
end

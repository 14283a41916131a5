-- Outcomes of jobs that are to run again, where the end of some was asked for: these end instead.
-- parts: cancelled unseal

-- Of n outcomes in `list` from `at` on (n entries, n times id and envelope, n due times), those that are not cancelled,
-- laid out likewise: the list and how many. `ended` gets id and record of the others.
local function spared(number, list, at, n, ended)
  local entries, bodies, dues = {}, {}, {}
  for i = 0, n - 1 do
    local entry, id, envelope = list[at + i], list[at + n + 2 * i], list[at + n + 2 * i + 1]
    local told = cancel_told(id)
    if told then
      local task, headers, payload = unseal(envelope)
      ended[#ended + 1] = id
      ended[#ended + 1] = cancelled(id, '', task, headers, payload, told)
      redis.call('XDEL', keys.lanes[number], entry)
    else
      entries[#entries + 1] = entry
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = envelope
      dues[#dues + 1] = list[at + 3 * n + i]
    end
  end
  local kept = #entries
  for _, part in ipairs(bodies) do entries[#entries + 1] = part end
  for _, due in ipairs(dues) do entries[#entries + 1] = due end
  return entries, kept
end

-- Jobs that were let through have ended, or give their slots up: whoever waited for these may have a turn. `keep` says of
-- an id whether it keeps its slot until its next attempt. What it needs is defined when it is first called, as in most
-- calls of most scripts it is not.
local leave_made
local function leave_gate(ids, keep)
  if not leave_made then
    -- parts: leave_now
    leave_made = leave_now
  end
  leave_made(ids, keep)
end

-- A scope may be open now: those that wait for it have their turn, a page at a time.
-- parts: callers ring

-- Go on from `cursor` ("0" to begin). Returns where to go on ("0" when all have had their turn).
local function wake(scope, cursor)
  local group = string.match(scope, '^group:(.*)$')
  local after = '0'
  if group == '*' or group == '*:*' then
    local found = redis.call('ZSCAN', keys.lines, cursor, 'COUNT', 500)
    local groups = {}
    for i = 1, #found[2], 2 do groups[#groups + 1] = found[2][i] end
    turn_each(groups)
    after = found[1]
  else
    if group then turn_each({ group }) end
    for _ = 1, 5 do
      if not call_waiting(scope, 100) then break end
    end
    if redis.call('EXISTS', keys.waits .. scope) == 1 then after = '1' end
  end
  if redis.call('EXISTS', keys.lines) == 1 then ring() end
  return after
end

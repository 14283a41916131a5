-- A job gives its unique key up: it is done, or has started where the key is taken until then. A job that follows it
-- begins to wait, or is delayed where it was not to run so soon. A window goes on by itself.
-- parts: clock standing unseal own_headers wait signal_due

-- When one that follows was to run at the earliest, in ms since the epoch; nil where nobody said.
local function earliest_of(headers)
  if not string.find(headers, '"due"', 1, true) then return nil end -- as in nearly all
  local member = own(split(headers), 'due')
  return member and tonumber(string.match(string.sub(headers, member.from, member.to), '^%d+$'))
end

local function leave_key(key, id)
  local standing, taken, rest = standing_of(key)
  if not standing or tonumber(taken) then return end
  if standing ~= id then -- it may be one of those that follow, which was cancelled
    local from, to = string.find(rest .. ' ', ' ' .. id .. ' ', 1, true)
    if from then stand(key, standing, taken, string.sub(rest, 1, from - 1) .. string.sub(rest, to)) end
    return
  end
  repeat
    local following, others = string.match(rest, '^ (%S+)(.*)$')
    local envelope = following and redis.call('HGET', keys.parked, following)
    if envelope then
      local task, headers, payload = unseal(envelope)
      local due = earliest_of(headers)
      stand(key, following, taken, others)
      if due and due > now then
        redis.call('ZADD', keys.delayed, due, following)
        signal_due(due)
        return
      end
      redis.call('HDEL', keys.parked, following)
      wait(following, task, payload, headers)
      return
    end
    rest = others or ''
  until not following
  redis.call('HDEL', keys.unique, key)
end

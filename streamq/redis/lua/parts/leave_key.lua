-- A job gives its unique key up: it is done, or has started where the key is taken until then. A job that follows it
-- begins to wait. A window goes on by itself.
-- parts: standing unseal lane_of add_to placed
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
      local number = lane_of(headers)
      placed(following, number, add_to(number, task, payload, headers))
      redis.call('HDEL', keys.parked, following)
      stand(key, following, taken, others)
      return
    end
    rest = others or ''
  until not following
  redis.call('HDEL', keys.unique, key)
end

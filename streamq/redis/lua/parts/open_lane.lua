-- A lane that is not there yet is made, and the workers are told of it.
-- parts: made publish
local function open_lane(number)
  if number > lane.always and not is_made(number) then
    redis.call('XGROUP', 'CREATE', keys.lanes[number], GROUP, '0', 'MKSTREAM')
    redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
  end
end

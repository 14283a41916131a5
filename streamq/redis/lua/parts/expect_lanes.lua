-- The same for the lanes.
local function expect_lanes()
  for lane = 1, #keys.lanes do redis.call('XLEN', keys.lanes[lane]) end
end

-- Refuse a lane that is no stream before anything is written, as a script that ends half-way is not undone.
local function expect_lanes()
  for lane = 1, #keys.lanes do redis.call('XLEN', keys.lanes[lane]) end
end

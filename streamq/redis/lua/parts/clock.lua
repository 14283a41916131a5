-- The server's clock, read once: milliseconds since the epoch.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

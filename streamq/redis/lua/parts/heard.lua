-- Whether anybody waits for jobs to end; where nobody does, no signal is built, and a job costs nothing.
-- parts: publish
local function heard()
  local reply = redis.pcall('PUBSUB', NUMSUB, keys.ended)
  return reply.err ~= nil or reply[2] > 0
end

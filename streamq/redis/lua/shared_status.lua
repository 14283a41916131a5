#!lua flags=no-writes,allow-oom
-- How a shared limit is.
-- keys: shared shared_lease
-- arguments:
--   name
-- returns the server's time; what code says, what was told, its pause ("" for none of each); how much of it is leased or
--   was started within its window; then of each queue that draws from it: its name, how much it may hold, how much it
--   needs for the job that waits, and when it asked last
-- parts: clock
local said = redis.call('HMGET', keys.shared, 'code ' .. args.name, 'told ' .. args.name, 'pause ' .. args.name)
local state = redis.call('HGETALL', keys.shared_lease .. args.name)
local answer = { now, said[1] or '', said[2] or '', said[3] or '', 0 }
for i = 1, #state, 2 do
  local queue = string.match(state[i], '^queue (.*)$')
  local held, needs, asked = string.match(state[i + 1], '^(%d+) (%d+) (%d+)')
  if state[i] == 'counted' then
    answer[5] = tonumber(state[i + 1])
  elseif queue and held then
    for _, each in ipairs({ queue, tonumber(held), tonumber(needs), tonumber(asked) }) do answer[#answer + 1] = each end
  end
end
return answer

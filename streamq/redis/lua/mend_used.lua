#!lua flags=allow-oom
-- How many jobs of each scope are past the gate is changed by so many, as it was not what `out` told at some moment; and how
-- many limits are of a kind likewise. What moves a job changes both by the same, so the difference lasts until it is mended.
-- keys: lanes steering signals gate
-- arguments:
--   limited     by how many too few limits of the queue and of tasks were counted
--   bounded     of those that bound how many wait
--   breakers    and of breakers
--   scopes...   scope, and by how many it was too low
-- parts: count_used callers ring
-- expects: used lines turns opens
local changes, groups, called = {}, {}, {}
for at = first.scopes, #ARGV, 2 do
  local scope, change = ARGV[at], tonumber(ARGV[at + 1])
  local said = redis.call('HGET', keys.used, scope)
  if said and not (#said < 10 and string.find(said, '^%d+$')) then redis.call('HDEL', keys.used, scope) end
  changes[scope] = change
  if change < 0 then
    groups[#groups + 1], called[#called + 1] = string.match(scope, '^group:(.*)$'), scope
  end
end
count_used(changes)
turn_each(groups)
for _, scope in ipairs(called) do
  if redis.call('EXISTS', keys.waits .. scope) == 1 then redis.call('ZADD', keys.opens, now, scope) end
end

for name, change in pairs({ limited = tonumber(args.limited), bounded = tonumber(args.bounded), breakers = tonumber(args.breakers) }) do
  local said = redis.call('HGET', keys.gate, name)
  if change ~= 0 or said then
    local count = (said and #said < 10 and string.find(said, '^%d+$') and tonumber(said) or 0) + change
    if count >= 1 then redis.call('HSET', keys.gate, name, string.format('%d', count)) else redis.call('HDEL', keys.gate, name) end
  end
end
if redis.call('HEXISTS', keys.gate, 'limited') == 1 then
  redis.call('HSET', keys.steering, 'limited', 1)
else
  redis.call('HDEL', keys.steering, 'limited')
end
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
if redis.call('EXISTS', keys.lines) == 1 then ring() end

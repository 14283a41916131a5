#!lua flags=allow-oom
-- The limit of a scope is changed: what code says of it, or what operators told, which goes before. It holds at once, also
-- for what waits.
-- keys: lanes moved parked steering signals gate
-- arguments:
--   source    "code" or "told"
--   scope
--   parts...  name and value of each part; "" to take it back
-- returns what code says, what was told, and where to go on waking ("0" when all have had their turn)
-- parts: wake limit_text count_up
local scope = args.scope
local is_one = string.find(scope, '^group:[^*]') ~= nil -- code says nothing of one group
local field = is_one and scope or args.source .. ' ' .. scope

local function write(name, value)
  if value == '' then redis.call('HDEL', keys.limits, name) else redis.call('HSET', keys.limits, name, value) end
end

-- How many scopes have a limit of a kind is counted, as nobody looks through all limits.
local function count(name, before, after)
  if before == after then return end
  if count_up(keys.gate, name, after and 1 or -1) < 1 then redis.call('HDEL', keys.gate, name) end
end

local function is_bounded()
  return string.find(redis.call('HGET', keys.limits, scope) or '', 'max=%d') ~= nil
end

-- What it draws from: the limit that is shared with other queues, and what the partitions of this one share.
local function drawn_from()
  local said = ' ' .. (redis.call('HGET', keys.limits, scope) or '')
  return { shared = string.match(said, '.* shared=(%S+)'), whole = string.match(said, '.* whole=(%S+)') }
end

local function has_breaker()
  return string.find(redis.call('HGET', keys.limits, scope) or '', 'errors=%d') ~= nil
end

local was_bounded, had_breaker, was_limited = is_bounded(), has_breaker(), redis.call('HEXISTS', keys.limits, scope) == 1
local before = drawn_from()
limit_text(keys.limits, field, first.parts)
local code, told = '', redis.call('HGET', keys.limits, is_one and scope or 'told ' .. scope) or ''
if not is_one then
  code = redis.call('HGET', keys.limits, 'code ' .. scope) or ''
  write(scope, code .. (code ~= '' and told ~= '' and ' ' or '') .. told) -- read one after the other, the last goes before
end
count('bounded', was_bounded, is_bounded()) -- while any is, an enqueue looks at the lines of its groups
count('breakers', had_breaker, has_breaker()) -- while any is, outcomes are counted
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n') -- before a bell rings, or who hears it reads as before
if not string.find(scope, '^group:') then
  -- While the queue or a task has a limit, also jobs without a group wait for the gate: workers read it alone, and
  -- producers ring.
  count('limited', was_limited, redis.call('HEXISTS', keys.limits, scope) == 1)
  if redis.call('HEXISTS', keys.gate, 'limited') == 1 then
    redis.call('HSET', keys.steering, 'limited', 1)
  else
    redis.call('HDEL', keys.steering, 'limited')
  end
  ring()
end
-- parts: limits
local limit, pause = limit_of(scope) or {}, redis.call('HGET', keys.limits, 'pause ' .. scope) or ''
if not limit.errors and string.find(pause, '"breaker":true', 1, true) then redis.call('HDEL', keys.limits, 'pause ' .. scope) end
if not limit['until'] then redis.call('ZREM', keys.opens, scope) end -- tried at once
local after = drawn_from()
for part, name in pairs(before) do
  if name ~= after[part] then
    for _, each in ipairs({ 'shared:', 'costly:' }) do wake(each .. name, '0') end
  end
end
if limit.starts and limit.window then redis.call('PEXPIRE', keys.starts .. scope, limit.window + 1000) end -- of a longer one
-- parts: take_back
take_back()
return { code, told, wake(scope, '0') }

#!lua flags=allow-oom
-- What the gate knows of itself is plausible: times and tags are numbers, those who wait in vain for a sign get one.
-- keys: lanes signals gate
-- arguments:
--   mend    "1" to mend what is not
-- returns how much was not
-- parts: clock delivered ring each
-- expects: lanes lines turns rested opens
local LAST = 9007199254740992 -- beyond it, numbers lose their ends
local mends, wrong = args.mend == '1', 0
local MOST = { time = LAST, plain = LAST, entered = LAST, bell = LAST, idle = 500, ran = 1e9, limited = LAST, bounded = LAST, breakers = LAST }
local COUNTED = { limited = true, bounded = true, breakers = true } -- beside the limits there are, by who compares these

for name, most in pairs(MOST) do
  local said = redis.call('HGET', keys.gate, name)
  local number = said and string.find(said, '^%d+$') and tonumber(said)
  if said and (not number or number > most) then
    wrong = wrong + 1
    if mends and not COUNTED[name] then redis.call('HDEL', keys.gate, name) end
  end
end

local time = redis.call('HGET', keys.gate, 'time') or '0'
for _, key in ipairs({ keys.turns, keys.rested }) do
  local odd = redis.call('ZRANGE', key, LAST, '+inf', 'BYSCORE', 'LIMIT', 0, 100)
  for _, member in ipairs(redis.call('ZRANGE', key, '-inf', '(0', 'BYSCORE', 'LIMIT', 0, 100)) do odd[#odd + 1] = member end
  wrong = wrong + #odd
  for _, member in ipairs(mends and odd or {}) do redis.call('ZADD', key, time, member) end
end

local waits = #redis.call('XRANGE', keys.lanes[lane.passed], '(' .. last_delivered(lane.passed), '+', 'COUNT', 1) > 0
if waits and redis.call('HEXISTS', keys.gate, 'direct') == 0 then
  wrong = wrong + 1
  if mends then redis.call('HSET', keys.gate, 'direct', 1) end
end
if mends and (waits or redis.call('EXISTS', keys.turns) == 1) then ring() end
return wrong

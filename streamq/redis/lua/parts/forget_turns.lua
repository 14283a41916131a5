-- No job is in any line: nobody is owed anything, and what is left of those who left their lines before their turns goes.
local function forget_turns()
  for _, tenant in ipairs(redis.call('ZRANGE', keys.turns, 0, -1)) do redis.call('UNLINK', keys.parts .. tenant) end
  for _, name in ipairs(redis.call('HKEYS', keys.gate)) do
    local scope = string.match(name, '^waits (.*)$')
    if scope then
      redis.call('UNLINK', keys.waits .. scope)
      redis.call('HDEL', keys.gate, name)
    end
  end
  redis.call('UNLINK', keys.rested, keys.turns, keys.shut)
  redis.call('HDEL', keys.gate, 'time', 'plain', 'parts', 'urgent', 'back', 'waits', 'strays', 'entered')
end

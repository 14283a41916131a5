-- Note where a job lies that has left its birthplace, or its last entry.
local function placed(id, lane, entry)
  redis.call('HSET', keys.moved, id, lane .. ' ' .. entry)
end

-- Tell of jobs that have ended, as `signals.py` reads it: a line of their ids, an empty line, and their records, whose
-- lengths the line tells.
-- parts: publish

-- A record without its payload, the last of its lines.
local function without_payload(record)
  local at = 0
  for _ = 1, 4 do at = at and string.find(record, '\n', at + 1, true) end
  return at and string.sub(record, 1, at) or record
end

-- Bytes of records that one signal carries, as much as one call writes; jobs beyond are told by their ids alone.
local CARRIED = 1048576

-- `news` has for each part of a list that alternates id and record: the list, and from where to where.
local function signal_ended(news)
  local told, bodies, size = {}, {}, 0
  for part = 1, #news, 3 do
    local records = news[part]
    for i = news[part + 1], news[part + 2], 2 do
      local id, body = records[i], records[i + 1]
      if #body > 256 then body = without_payload(body) end -- a short one goes as it is, for that costs less
      if size + #body <= CARRIED then
        size = size + #body
        bodies[#bodies + 1] = body
        id = id .. ':' .. #body
      end
      told[#told + 1] = id
    end
  end
  if #told == 0 then return end
  redis.pcall(PUBLISH, keys.ended, 'ended ' .. table.concat(told, ' ') .. '\n\n' .. table.concat(bodies))
end

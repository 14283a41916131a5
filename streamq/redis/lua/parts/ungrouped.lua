-- Jobs without a group, for gate.lua alone: those that have no limit are read from their lanes, the others wait in lines.
local LINED = 50 -- jobs that come into lines in a call: each takes as long as two that are let through
local lined = 0

-- A job without a group waits with all such jobs of its queue, and its task has a limit by now: it goes to the line of its
-- task, so that the others go on.
local function to_its_task(id, name, list, task, headers)
  -- parts: line_up task_line
  local number, line = lane_of(headers), task_line(task)
  leave(id, name, list, '*')
  write_turns()
  line_up(id, line, number, string.find(headers, '"returned"', 1, true) ~= nil)
  envelopes[id], lists[keys.line .. number .. ':' .. line] = nil, nil
  lined, looks = lined + 1, looks + LOOKS / LINED
end

-- Of entries of a lane, those that need not wait in a line.
local function without_limited(entries, number)
  -- parts: line_up_limited
  write_turns()
  local others, groups = line_up_limited(entries, number)
  lined = lined + #entries - #others
  for group in pairs(groups) do lists[keys.line .. number .. ':' .. group] = nil end
  if number ~= lane.ready and #PRIORITY == 1 then
    for i, each_number in ipairs(EVERY) do PRIORITY[i] = keys.line .. each_number .. ':' end
  end
  return others
end

-- Jobs without a group: up to so many, the most urgent first.
local function read_plain(count)
  local got = 0
  if lined >= LINED then return 0, 0 end
  local wanted = count
  for _, number in ipairs(EVERY) do
    if got < count and (number <= lane.always or redis.call('EXISTS', keys.lanes[number]) == 1) then
      local read = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', count - got, 'STREAMS', keys.lanes[number], '>')
      local entries = read and read[1][2] or {}
      if is_limited and #entries > 0 then
        count = count - #entries
        entries = without_limited(entries, number)
        count = count + #entries
      end
      if #entries > 0 then
        given[#given + 1], given[#given + 2] = number, entries
        got = got + #entries
        for _, entry in ipairs(entries) do bytes = bytes + size_of(entry) end
      end
    end
  end
  free = free - got
  return got, wanted - count + got
end

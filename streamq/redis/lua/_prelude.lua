-- Put in front of every script. One reading of the clock, and the three shapes the scripts share:
-- headers (JSON text, '' for none), envelope (task LF headers LF payload), record (state, ms LF envelope parts).

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Whether a text is an id: two numbers of 64 bits, as the server writes them.
local function is_number(text)
  return (#text < 20 or #text == 20 and text <= '18446744073709551615') and (text == '0' or string.byte(text) ~= 48)
end

local function is_id(text)
  local _, _, dash, over = string.find(text, '^[1-9]%d*()%-[1-9]%d*()$')
  if dash and dash <= 20 and over - dash <= 20 then return true end -- as nearly all are: no text is cut out
  local ms, sequence = string.match(text, '^(%d+)%-(%d+)$')
  return ms ~= nil and is_number(ms) and is_number(sequence)
end

-- Lane and entry that `moved` tells of a job; nothing where somebody wrote something else there.
local function place(told)
  local lane, entry = string.match(told or '', '^([12]) (%d+%-%d+)$')
  if lane and is_id(entry) then return tonumber(lane), entry end
end

-- A key of the wrong type is refused before anything is written, as a script that ends half-way is not undone:
-- `command` asks for the size of each key, which only the right type has.
local function expect(command, ...)
  for _, key in ipairs({ ... }) do redis.call(command, key) end
end

-- Bytes of jobs that one call reads; it stops at the first job that goes beyond, and is called again.
local BUDGET = 524288

local function line(text)
  if not string.find(text, '\n', 1, true) then return text end
  return (string.gsub(text, '\n', ' '))
end

local function seal(task, headers, payload)
  return line(task) .. '\n' .. line(headers) .. '\n' .. payload
end

-- What stands before the first LF, and what comes after it ('' when there is none).
local function cut(text)
  local at = string.find(text, '\n', 1, true)
  if not at then return text, '' end
  return string.sub(text, 1, at - 1), string.sub(text, at + 1)
end

local function unseal(envelope)
  local first = string.find(envelope, '\n', 1, true) or #envelope + 1
  local second = string.find(envelope, '\n', first + 1, true) or #envelope + 1
  return string.sub(envelope, 1, first - 1), string.sub(envelope, first + 1, second - 1), string.sub(envelope, second + 1)
end

-- Task, payload and headers among the fields of a stream entry, which may come in any order and may be missing.
local function parse(fields)
  local at = { task = '', payload = 'null', headers = '' }
  for i = 1, #fields, 2 do at[fields[i]] = fields[i + 1] end
  return at.task, at.payload, at.headers
end

-- The same of an entry, or nil when it is gone.
local function read(lane, entry)
  local found = redis.call('XRANGE', lane, entry, entry)
  if #found == 0 then return nil end
  return parse(found[1][2])
end

local function add(lane, task, payload, headers)
  return redis.call('XADD', lane, '*', 'task', task, 'payload', payload, 'headers', headers)
end

-- call(command, key, ...) with all of the list, or its part from `from` to `to`: `unpack` is bounded, so in slices.
local function each(command, key, list, from, to)
  to = to or #list
  for i = from or 1, to, 1000 do
    redis.call(command, key, unpack(list, i, math.min(i + 999, to)))
  end
end

-- Park jobs until they are due. `envelopes` alternates id and envelope, `dues` due time and id. Returns the earliest due
-- time when that is earlier than whatever the schedulers wait for.
local function park(parked, delayed, envelopes, dues)
  if #dues == 0 then return nil end
  local head, earliest = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES'), dues[1]
  for i = 3, #dues, 2 do earliest = math.min(earliest, dues[i]) end
  each('HSET', parked, envelopes)
  each('ZADD', delayed, dues)
  return (#head == 0 or earliest < tonumber(head[2])) and earliest or nil
end

-- Milliseconds from a job's birth until now, as text: what a finished record says of time; the id says the rest.
local function age(id)
  local born = tonumber(string.match(id, '^%d+')) or now
  return string.format('%.0f', math.max(0, now - born))
end

-- Signals: lines that begin with a word, an empty line, and the records whose lengths a line tells. (`signals.py` reads
-- them.) Publishing may be forbidden to our user: then nobody hears, and who waits looks for itself.

local function signal_due(channel, due)
  redis.pcall('PUBLISH', channel, 'due ' .. due .. '\n\n')
end

-- Bytes of records that one signal carries, as much as one call writes; jobs beyond are told by their ids alone.
local CARRIED = 1048576

-- Whether anybody listens; without listeners nothing is built, and a job costs nothing.
local function heard(channel)
  local reply = redis.pcall('PUBSUB', 'NUMSUB', channel)
  return reply.err ~= nil or reply[2] > 0
end

-- A record without its payload, which who waits does not ask for.
local function outcome(record)
  local at = 0
  for _ = 1, 4 do at = at and string.find(record, '\n', at + 1, true) end
  return at and string.sub(record, 1, at) or record
end

-- Take ended jobs into the news. `records` alternates id and record, all of it or a part.
local function collect(news, records, from, to)
  local ids, bodies, told, carried = news.ids, news.bodies, #news.ids, #news.bodies
  for i = from or 1, to or #records, 2 do
    local body = records[i + 1]
    if #body > 256 then body = outcome(body) end -- a short one goes as it is, for that costs less
    told = told + 1
    if news.size + #body > CARRIED then
      ids[told] = records[i]
    else
      news.size, carried = news.size + #body, carried + 1
      bodies[carried] = body
      ids[told] = records[i] .. ':' .. #body
    end
  end
end

local function signal_ended(channel, news)
  if #news.ids == 0 then return end
  redis.pcall('PUBLISH', channel, 'ended ' .. table.concat(news.ids, ' ') .. '\n\n' .. table.concat(news.bodies))
end

-- Write finished records and forget the oldest past `keep`: as many as were written and 1,000 more, so that a call is
-- bounded when `keep` was lowered; the rest goes with the next calls, and with prune.lua. `records` alternates id and record, all
-- of it or a part.
local function finish(finished, order, keep, ids, records, from, to)
  if keep == 0 or #ids == 0 then return end
  each('HSET', finished, records, from, to)
  each('RPUSH', order, ids)
  local over = math.min(redis.call('LLEN', order) - keep, #ids + 1000)
  if over > 0 then each('HDEL', finished, redis.call('LPOP', order, over)) end
end

-- The same for failed jobs, whose order is a sorted set by the time of their end: any of them may be requeued.
local function bury(finished, failures, keep, ids, records, from, to)
  if keep == 0 or #ids == 0 then return end
  each('HSET', finished, records, from, to)
  -- Behind the last one, also within a millisecond; not behind what a clock that was set back has left, or strangers.
  local scored, last = {}, redis.call('ZRANGE', failures, '(' .. now + 1000, now, 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
  local from = math.max(now, tonumber(last[2] or now))
  for i, id in ipairs(ids) do
    scored[2 * i - 1] = from + i / 1024
    scored[2 * i] = id
  end
  each('ZADD', failures, scored)
  local over = redis.call('ZCARD', failures) - keep
  if over > 0 then
    local old = redis.call('ZRANGE', failures, 0, math.min(over, #ids + 1000) - 1)
    each('HDEL', finished, old)
    each('ZREM', failures, old)
  end
end

-- Put in front of every script. One reading of the clock, and the three shapes every script shares:
-- headers (JSON text, '' for none), envelope (task LF headers LF payload), record (state, ms LF envelope parts).

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Whether the headers are what `envelope.py` says: one member that is not, and none of them counts.
local function sound(h)
  if h.id ~= nil and not (type(h.id) == 'string' and string.find(h.id, '^%d+%-%d+$')) then return false end
  for _, name in ipairs({ 'attempt', 'attempts', 'crashes', 'strayed', 'timeout' }) do
    local n = h[name]
    if n ~= nil and (type(n) ~= 'number' or n < 0 or (name ~= 'timeout' and n % 1 ~= 0)) then return false end
  end
  if h.history == nil then return true end
  if type(h.history) ~= 'table' or (next(h.history) ~= nil and h.history[1] == nil) then return false end
  for _, loss in ipairs(h.history) do
    if type(loss) ~= 'table' then return false end
  end
  return true
end

-- Headers as a table; what is not sound counts as none, so that no foreign entry can stop a script.
local function decoded(headers)
  if not string.find(headers, '^%s*{') then return {} end
  local ok, h = pcall(cjson.decode, headers)
  return ok and sound(h) and h or {}
end

-- Headers with the job's id in them, and the id: a job that leaves its birthplace carries its id along.
local function named(headers, birthplace)
  local h = decoded(headers)
  if h.id then return headers, h.id end
  if next(h) == nil then return '{"id":"' .. birthplace .. '"}', birthplace end
  return '{"id":"' .. birthplace .. '",' .. string.sub(headers, string.find(headers, '{', 1, true) + 1), birthplace
end

local function line(text)
  return (string.gsub(text, '\n', ' '))
end

local function seal(task, headers, payload)
  return line(task) .. '\n' .. headers .. '\n' .. payload
end

local function unseal(envelope)
  local first = string.find(envelope, '\n', 1, true)
  local second = string.find(envelope, '\n', first + 1, true)
  return string.sub(envelope, 1, first - 1), string.sub(envelope, first + 1, second - 1),
    string.sub(envelope, second + 1)
end

-- Task, payload and headers of a stream entry, or nil when it is gone. Fields may come in any order.
local function read(lane, entry)
  local found = redis.call('XRANGE', lane, entry, entry)
  if #found == 0 then return nil end
  local fields, at = found[1][2], { task = '', payload = 'null', headers = '' }
  for i = 1, #fields, 2 do at[fields[i]] = fields[i + 1] end
  return at.task, at.payload, at.headers
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

-- Park `id` until `due`; true when that is earlier than whatever the schedulers wait for.
local function park(parked, delayed, id, due, envelope)
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  redis.call('HSET', parked, id, envelope)
  redis.call('ZADD', delayed, due, id)
  return #head == 0 or due < tonumber(head[2])
end

-- Milliseconds from a job's birth until now: what a finished record says of time; the id says the rest.
local function age(id)
  return now - (tonumber(string.match(id, '^(%d+)%-')) or 0)
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

-- Write finished records and forget the oldest past `keep`. `records` alternates id and record, all of it or a part.
local function finish(finished, order, keep, ids, records, from, to)
  if keep == 0 or #ids == 0 then return end
  each('HSET', finished, records, from, to)
  each('RPUSH', order, ids)
  local over = redis.call('LLEN', order) - keep
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

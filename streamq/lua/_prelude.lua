-- Put in front of every script. One reading of the clock, and the three shapes the scripts share:
-- headers (JSON text, '' for none), envelope (task LF headers LF payload), record (state, ms LF envelope parts).

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Whether a text is an id: two numbers of 64 bits, as the server writes them.
local function is_number(text)
  return (#text < 20 or #text == 20 and text <= '18446744073709551615') and (text == '0' or string.byte(text) ~= 48)
end

local function is_id(text)
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

local function wake(key, due)
  redis.call('LPUSH', key, due)
  redis.call('LTRIM', key, 0, 0)
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

#!lua flags=allow-oom
-- The jobs of a lost worker start again elsewhere: each gets a new entry, so the lost worker's outcome is refused.
-- A crash is charged first: next to the limit a job becomes a suspect and runs by itself, at the limit it is failed.
-- KEYS  1 ready  2 alone  3 moved  4 finished  5 failures  6 ended (a channel)  7 workers
-- ARGV  1 group  2 worker  3 its last beat as seen ("" to take it as lost)  4 at most how many  5 crash limit  6 failed jobs kept
-- returns how many start again, how many are suspects, how many failed, how many it still holds, and of the first of them
--   id, what became of it (again, alone or failed) and task; or -1 when it has beaten since
if ARGV[3] ~= '' and (redis.call('ZSCORE', KEYS[7], ARGV[2]) or '') ~= ARGV[3] then return { -1, 0, 0, 0, {} } end

expect('HLEN', KEYS[3], KEYS[4])
expect('ZCARD', KEYS[5])
expect('ZCARD', KEYS[7])
expect('XLEN', KEYS[1], KEYS[2])
local limit, room = tonumber(ARGV[5]), tonumber(ARGV[4])
local moved, ids, records, again, suspects, told = {}, {}, {}, 0, 0, {}

local bytes, name = 0, string.gsub(ARGV[2], '[^%w%p]', '?')
local CHARGED = { crashes = true, history = true }

-- The id, how often its worker was lost now, and the headers that say so.
local function charged(entry, headers)
  local list, id = split(headers), id_of(headers) or entry
  local crashes = count_of(list, 'crashes') + 1
  local loss = cjson.encode({ type = 'WorkerLost', message = 'worker ' .. name .. ' was lost while the job was active',
    worker = name, attempt = count_of(list, 'attempt') + 1, finished_at = now })
  local before = history_of(list)
  return id, crashes, rewritten(list, id, CHARGED, ',"crashes":' .. crashes .. ',"history":[', before,
    (before and ',' or '') .. loss .. ']')
end

local function tell(id, fate, task)
  if #told < 30 then
    told[#told + 1], told[#told + 2], told[#told + 3] = id, fate, string.sub(task, 1, 200)
  end
end

local function recover(lane, entry)
  local task, payload, headers = read(KEYS[lane], entry)
  if task then
    bytes = bytes + #task + #payload + #headers
    local id, crashes, kept = charged(entry, headers)
    if crashes >= limit then
      ids[#ids + 1] = id
      records[#records + 1] = id
      records[#records + 1] = 'f' .. age(id) .. ' 0 ' .. name .. '\n' .. line(task) .. '\n' .. line(kept)
        .. '\n' .. cjson.encode({ type = 'Crashed', worker = name,
          message = 'its worker was lost ' .. crashes .. ' times while it ran' }) .. '\n' .. payload
      redis.call('HDEL', KEYS[3], id)
      tell(id, 'failed', task)
    else
      local to = crashes == limit - 1 and 2 or 1
      if to == 2 then suspects = suspects + 1 else again = again + 1 end
      redis.call('HSET', KEYS[3], id, to .. ' ' .. add(KEYS[to], task, payload, kept))
      tell(id, to == 2 and 'alone' or 'again', task)
    end
  end
  redis.call('XACK', KEYS[lane], ARGV[1], entry)
  redis.call('XDEL', KEYS[lane], entry)
end

for lane = 1, 2 do
  local pending = room > 0 and bytes < BUDGET and redis.call('XPENDING', KEYS[lane], ARGV[1], '-', '+', room, ARGV[2])
  for _, row in ipairs(pending or {}) do
    if bytes >= BUDGET then break end
    recover(lane, row[1])
    room = room - 1
  end
end

bury(KEYS[4], KEYS[5], tonumber(ARGV[6]), ids, records)
if #ids > 0 and heard(KEYS[6]) then
  local news = { ids = {}, bodies = {}, size = 0 }
  collect(news, records)
  signal_ended(KEYS[6], news)
end

local held = 0
for lane = 1, 2 do held = held + #redis.call('XPENDING', KEYS[lane], ARGV[1], '-', '+', 1, ARGV[2]) end
if held == 0 then
  -- Only now: deleting a consumer drops whatever it still holds.
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  redis.call('XGROUP', 'DELCONSUMER', KEYS[2], ARGV[1], ARGV[2])
  redis.call('ZREM', KEYS[7], ARGV[2])
end
return { again, suspects, #ids, held, told }

#!lua
-- What handlers report: the progress of jobs, and lines of their logs, of many jobs of a queue at once. A log is a ring of
-- pages, fields of one hash that all jobs of the queue share, so that the number of commands is that of a single job.
-- keys: progress logs reports results reported signals
-- arguments:
--   mark        of this call: where it is repeated, as its answer was lost, a log that has it takes no line again
--   jobs        of how many jobs reports are kept
--   fields      and how many pages of their logs, heads included
--   reports...  of each job: id, its progress or "", until when its result is kept or 0, how many lines were dropped before
--               those that come, the number k of pieces, and k times: how many lines, and the lines, one below the other
-- returns now
-- parts: clock each pages_of
-- expects: progress
local known, kept = redis.call('ZCARD', keys.reports), redis.call('HLEN', keys.logs)
local jobs, at = {}, first.reports
while at <= #ARGV do
  local pieces = tonumber(ARGV[at + 4])
  jobs[#jobs + 1] = { id = ARGV[at], progress = ARGV[at + 1], till = ARGV[at + 2], dropped = tonumber(ARGV[at + 3]), pieces = pieces, from = at + 5 }
  at = at + 5 + 2 * pieces
end

-- Of each job that has written lines: how many before, and the page that is written now.
local function open_pages(writing)
  local ids, fields = {}, {}
  for i, job in ipairs(writing) do ids[i] = job.id end
  local heads = redis.call('HMGET', keys.logs, unpack(ids))
  for i, job in ipairs(writing) do
    local lines, number, mark = string.match(heads[i] or '', '^(%d+) (%d+) (.*)$')
    job.lines, job.number, job.is_done = tonumber(lines or 0), tonumber(number or 0), mark == args.mark
    fields[i] = job.id .. ':' .. job.number % PAGES
  end
  local pages = redis.call('HMGET', keys.logs, unpack(fields))
  for i, job in ipairs(writing) do job.page = pages[i] or '' end
end

local function add_lines(job, fields)
  local function put(field, value) fields[#fields + 1], fields[#fields + 2] = field, value end
  local function keep() if job.page ~= '' then put(job.id .. ':' .. job.number % PAGES, job.page) end end
  if job.dropped > 0 then -- the lines of a page follow one another
    job.lines = job.lines + job.dropped
    if job.page ~= '' then keep() job.page, job.number = '', job.number + 1 end
  end
  job.first = job.lines + 1
  for i = job.from, job.from + 2 * job.pieces - 2, 2 do
    local lines = ARGV[i + 1]
    if job.page ~= '' and #job.page + #lines < PAGE then
      job.page = job.page .. '\n' .. lines
    else
      if job.page ~= '' then keep() job.number = job.number + 1 end
      job.page = job.lines + 1 .. '\n' .. lines
    end
    job.lines = job.lines + tonumber(ARGV[i])
  end
  keep()
  put(job.id, job.lines .. ' ' .. job.number .. ' ' .. args.mark)
end

local told, results, progress, writing, fields = {}, {}, {}, {}, {}
for _, job in ipairs(jobs) do
  if job.till ~= '0' then results[#results + 1], results[#results + 2] = job.till, job.id end
  if job.progress ~= '' or job.pieces + job.dropped > 0 then told[#told + 1], told[#told + 2] = now, job.id end
  if job.progress ~= '' then progress[#progress + 1], progress[#progress + 2] = job.id, job.progress end
  if job.pieces + job.dropped > 0 then writing[#writing + 1] = job end
end
if #results > 0 then
  -- expects: results
end
if #writing > 0 then
  open_pages(writing)
  for _, job in ipairs(writing) do if not job.is_done then add_lines(job, fields) end end
end
each('HSET', keys.progress, progress)
each('HSET', keys.logs, fields)
each('ZADD', keys.reports, told)
each('ZADD', keys.results, results)

-- As there were before this call: what it adds goes with the next.
local over = known - tonumber(args.jobs)
if over <= 0 and kept > tonumber(args.fields) then over = #jobs end
if over > 0 then
  -- parts: forget_reports
  forget_reports(redis.call('ZRANGE', keys.reports, 0, math.min(over, 50) - 1)) -- the rest with the next calls
end

-- parts: publish
local listeners = redis.pcall('PUBSUB', NUMSUB, keys.reported)
if not (listeners.err or listeners[2] > 0) then return now end
-- As `signals.py` reads it: a line for each job, an empty one, and the bodies.
local lines, bodies = {}, {}
for _, job in ipairs(jobs) do
  local body = {}
  if not job.is_done then for i = job.from, job.from + 2 * job.pieces - 2, 2 do body[#body + 1] = ARGV[i + 1] end end
  local text = table.concat(body, '\n')
  lines[#lines + 1] = 'report ' .. job.id .. ' ' .. #job.progress .. ' ' .. (job.first or 0) .. ' ' .. #text
  bodies[#bodies + 1] = job.progress .. text
end
redis.pcall(PUBLISH, keys.reported, table.concat(lines, '\n') .. '\n\n' .. table.concat(bodies))
return now

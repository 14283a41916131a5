#!lua flags=allow-oom
-- A page of the jobs that are past the gate: each has its slot, and `moved` says where it lies. What is wrong is counted,
-- and mended when that is asked for.
-- keys: lanes moved gate
-- arguments:
--   lane     its number: that of jobs that were let through, or of suspects
--   after    entry to go on after ("" to begin)
--   limit    at most how many to look at
--   mend     "1" to mend it
-- returns how many had no slot, how many had no place, and the entry to go on after ("" when done)
-- parts: parse header_id group_of limits task_line give_slot pages entry_size made
-- expects: moved out used
local number, mends, limit = tonumber(args.lane), args.mend == '1', tonumber(args.limit)
if not is_made(number) then return { 0, 0, '' } end
local slotless, placeless, seen, bytes, count, after = 0, 0, 0, 0, 1, args.after

local function compare(entry, task, headers)
  local id, group = id_of(headers) or entry, group_of(headers)
  if number == lane.alone and not group then return end -- it may have been delivered without the gate
  if redis.call('HEXISTS', keys.out, id) == 0 then
    slotless = slotless + 1
    group = group or (limit_of('task:' .. task) and task_line(task) or '*')
    if mends then give_slot(id, group .. '\n' .. task) end
  end
  if id ~= entry and redis.call('HEXISTS', keys.moved, id) == 0 then
    placeless = placeless + 1
    if mends then redis.call('HSET', keys.moved, id, number .. ' ' .. entry) end
  end
end

repeat
  local page = redis.call('XRANGE', keys.lanes[number], after == '' and '-' or '(' .. after, '+', 'COUNT', count)
  for _, entry in ipairs(page) do
    local task, _, headers = parse(entry[2])
    compare(entry[1], task, headers)
    seen, bytes, after = seen + 1, bytes + size_of(entry), entry[1]
  end
  if #page < count then return { slotless, placeless, '' } end
  count = math.min(next_count(count, seen, bytes), limit - seen)
until seen >= limit or bytes >= BUDGET
return { slotless, placeless, after }

#!lua flags=allow-oom
-- The outcomes of attempts. An outcome counts only if its worker still holds the entry: XACK is the fence.
-- KEYS  1 ready  2 alone  3 parked  4 delayed  5 moved  6 finished  7 completed  8 failed  9 events  10 wake
-- ARGV  1 group  2 how many completed jobs are kept  3 how many failed ones
--       then of each outcome: kind and lane ("c1"), entry, id ("" when it is the entry), body
--       kind c completed, f failed: body is the record without its first word
--       kind d delayed: body is the delay in ms, LF, the envelope
-- returns now, then each entry that was refused
local refused, gone, left = { now }, { {}, {} }, {}
local ids, records = { c = {}, f = {} }, { c = {}, f = {} }
local earliest

for i = 4, #ARGV, 4 do
  local kind, lane = string.sub(ARGV[i], 1, 1), tonumber(string.sub(ARGV[i], 2))
  local entry, id, body = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if redis.call('XACK', KEYS[lane], ARGV[1], entry) == 0 then
    refused[#refused + 1] = entry
  else
    gone[lane][#gone[lane] + 1] = entry
    if id == '' then id = entry else left[#left + 1] = id end
    if kind == 'd' then
      local cut = string.find(body, '\n', 1, true)
      local due = now + tonumber(string.sub(body, 1, cut - 1))
      if park(KEYS[3], KEYS[4], id, due, string.sub(body, cut + 1)) then earliest = due end
    else
      local done, kept = ids[kind], records[kind]
      done[#done + 1] = id
      kept[#kept + 1] = id
      kept[#kept + 1] = kind .. age(id) .. ' ' .. body
    end
  end
end

each('XDEL', KEYS[1], gone[1])
each('XDEL', KEYS[2], gone[2])
each('HDEL', KEYS[5], left)
finish(KEYS[6], KEYS[7], ids.c, records.c, tonumber(ARGV[2]))
finish(KEYS[6], KEYS[8], ids.f, records.f, tonumber(ARGV[3]))
if #ids.c + #ids.f > 0 then
  redis.call('XADD', KEYS[9], 'MAXLEN', '~', 100, '*', 'c', table.concat(ids.c, ' '), 'f', table.concat(ids.f, ' '))
end
if earliest then wake(KEYS[10], earliest) end
return refused

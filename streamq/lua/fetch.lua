#!lua flags=allow-oom
-- The next jobs for a worker that runs nothing: one suspect by itself, or else up to n ready ones.
-- KEYS  1 ready  2 alone
-- ARGV  1 group  2 worker  3 n
-- returns lane, entries
local function take(lane, count)
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[lane], '>')
  return read and read[1][2]
end

local suspect = take(2, 1)
if suspect then return { 2, suspect } end
return { 1, take(1, ARGV[3]) or {} }

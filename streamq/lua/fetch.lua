#!lua flags=allow-oom
-- The next jobs for a worker that runs nothing: one suspect by itself, or else up to n ready ones. Their bytes cannot be
-- bounded: what was delivered must be handed over.
-- KEYS  1 ready  2 alone
-- ARGV  1 group  2 worker  3 n, at most 500; none below 1
-- returns lane, entries
local function take(lane, count)
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[lane], '>')
  return read and read[1][2]
end

local n = math.min(tonumber(ARGV[3]), 500)
if n < 1 then return { 1, {} } end -- to the server, COUNT 0 means all
local suspect = take(2, 1)
if suspect then return { 2, suspect } end
return { 1, take(1, n) or {} }

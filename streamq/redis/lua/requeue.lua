#!lua
-- A failed job waits again, with all its attempts and none of its crashes; its history stays. Of many who ask at once
-- one moves it, and the others are told where it is then: nobody needs to look before or after.
-- KEYS  1 ready  2 alone  3 moved  4 parked  5 delayed  6 finished  7 failures
-- ARGV  1 group  2 id
-- returns "moved", task, payload, headers   or "is", its state   or nothing when there is no such job
expect('XLEN', KEYS[1])
expect('ZCARD', KEYS[7])
expect('HLEN', KEYS[3])
local id = ARGV[2]
local record = is_id(id) and redis.call('HGET', KEYS[6], id)
local letter = record and string.sub(record, 1, 1)

if letter == 'f' then
  local task, headers, rest = unseal(select(2, cut(record)))
  local _, payload = cut(rest)
  local renewed = { attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true }
  local kept = rewritten(split(headers), id, renewed)
  local entry = add(KEYS[1], task, payload, kept)
  redis.call('HSET', KEYS[3], id, '1 ' .. entry)
  redis.call('HDEL', KEYS[6], id)
  redis.call('ZREM', KEYS[7], id)
  return { 'moved', task, payload, kept }
end

local lane, entry = entry_of(id, KEYS, KEYS[3])
if lane then return { 'is', holder_of(KEYS[lane], ARGV[1], entry) == '' and 'waiting' or 'active' } end
if is_id(id) and redis.call('HEXISTS', KEYS[4], id) == 1 then
  return { 'is', redis.call('ZSCORE', KEYS[5], id) and 'delayed' or 'held' }
end
if record then return { 'is', letter == 'c' and 'completed' or 'unreadable' } end
return {}

#!lua
-- A failed job waits again, with all its attempts and none of its crashes; its history stays.
-- KEYS  1 ready  2 finished  3 failures  4 moved
-- ARGV  1 id
-- returns its entry; "" when there is no record; the first letter of its state when that is not "f"
expect('XLEN', KEYS[1])
expect('ZCARD', KEYS[3])
expect('HLEN', KEYS[4])
local record = is_id(ARGV[1]) and redis.call('HGET', KEYS[2], ARGV[1])
if not record then return '' end
if string.sub(record, 1, 1) ~= 'f' then return string.sub(record, 1, 1) end

local task, headers, rest = unseal(select(2, cut(record)))
local _, payload = cut(rest)
local list, renewed = split(headers), { attempt = true, crashes = true, unknown_task_count = true, unknown_task_since = true }
local entry = add(KEYS[1], task, payload, rewritten(list, ARGV[1], renewed))
redis.call('HSET', KEYS[4], ARGV[1], '1 ' .. entry)
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return entry

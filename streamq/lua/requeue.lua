#!lua
-- A failed job waits again, with all its attempts and none of its crashes; its history stays.
-- KEYS  1 ready  2 finished  3 failures  4 moved
-- ARGV  1 id
-- returns its entry; "" when there is no record; the first letter of its state when that is not "f"
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then return '' end
if string.sub(record, 1, 1) ~= 'f' then return string.sub(record, 1, 1) end

local task, headers, rest = unseal(string.sub(record, string.find(record, '\n', 1, true) + 1))
local h = decoded(headers)
h.id = ARGV[1]
h.attempt, h.crashes, h.strayed = nil, nil, nil
local payload = string.sub(rest, string.find(rest, '\n', 1, true) + 1)
local entry = add(KEYS[1], task, payload, cjson.encode(h))
redis.call('HSET', KEYS[4], ARGV[1], '1 ' .. entry)
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return entry

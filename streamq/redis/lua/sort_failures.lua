#!lua flags=allow-oom
-- Failed jobs are in the kinds of those that failed alike, and no others are: a version before this one knew no kinds,
-- so what failed under it is in none, and what it retried or deleted is still in its own.
-- keys: finished failures fingerprints fingerprinted failure_kinds
-- arguments:
--   from     how many of the failed jobs are passed over
--   cursor   of those that are in kinds: "0" to begin, "" at their end
--   limit    at most how many of each are looked at
-- returns from and the cursor to go on with; -1 and "" at the end
-- parts: failed_no_more failure_kinds budget
-- expects: finished fingerprints fingerprinted failure_kinds failures
local from, limit, cursor = tonumber(args.from), tonumber(args.limit), args.cursor
local ids = from >= 0 and redis.call('ZRANGE', keys.failures, from, from + limit - 1) or {}
local records, bytes, looked = {}, 0, 0
for i, fingerprint in ipairs(#ids > 0 and redis.call('HMGET', keys.fingerprints, unpack(ids)) or {}) do
  if bytes > BUDGET then break end
  looked = i
  if not fingerprint then
    local record = redis.call('HGET', keys.finished, ids[i]) or ''
    bytes = bytes + #record
    records[#records + 1], records[#records + 2] = ids[i], record
  end
end
if #records > 0 then note_failures(records) end

if cursor ~= '' then
  local found, gone = {}, {}
  cursor, found = unpack(redis.call('HSCAN', keys.fingerprints, cursor, 'COUNT', limit))
  for i = 1, #found, 2 do
    if not redis.call('ZSCORE', keys.failures, found[i]) then gone[#gone + 1] = found[i] end
  end
  failed_no_more(gone)
  if cursor == '0' then cursor = '' end
end
return { looked > 0 and from + looked or -1, cursor }

-- How many records of failed, of cancelled and of expired jobs are kept, each: what was told to the queue, else `keep`.
local function failures_kept(keep)
  return tonumber(string.match(redis.call('HGET', keys.retention, 'failed') or '', '^%d+$') or keep)
end

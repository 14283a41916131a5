-- Forget the progress and the logs of some jobs: a hundred at most, as each has its pages.
-- parts: each pages_of
local function forget_reports(ids)
  if #ids == 0 then return end
  local fields, heads = {}, redis.call('HMGET', keys.logs, unpack(ids))
  for i, id in ipairs(ids) do
    -- one that has no head has a page at most: then a stranger has deleted the head
    local last = heads[i] and tonumber(string.match(heads[i], '^%d+ (%d+)') or PAGES) or 0
    fields[#fields + 1] = id
    for slot = 0, math.min(last, PAGES - 1) do fields[#fields + 1] = id .. ':' .. slot end
  end
  each('HDEL', keys.progress, ids)
  each('HDEL', keys.logs, fields)
  each('ZREM', keys.reports, ids)
end

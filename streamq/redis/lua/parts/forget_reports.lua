-- Forget the progress and the logs of some jobs: a hundred at most, as each has its pages.
-- parts: each pages_of
local function forget_reports(ids)
  if #ids == 0 then return end
  local fields = {}
  for _, id in ipairs(ids) do
    fields[#fields + 1] = id
    for slot = 0, PAGES - 1 do fields[#fields + 1] = id .. ':' .. slot end
  end
  each('HDEL', keys.progress, ids)
  each('HDEL', keys.logs, fields)
  each('ZREM', keys.reports, ids)
end

-- Some groups have bounds of their own.
-- parts: limits

-- Whether so many more jobs of a group are too many: an error's text, as `over_bound` has it, with the group; nil for none.
local function over_group_bound(group, count)
  local limit = limit_of('group:' .. group)
  if not (limit and limit.max) then return nil end
  local waiting = tonumber(redis.call('ZSCORE', keys.lines, group) or 0)
  return waiting + count > limit.max and string.format('FULL %.0f %.0f ', waiting, limit.max) .. group or nil
end

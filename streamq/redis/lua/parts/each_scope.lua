-- The scopes of a job that is past the gate, with the limit of each, by what `out` tells of it.
-- parts: limits
local function each_scope(told, act)
  local group, task = string.match(told or '', '^([^\n]*)\n([^\n]*)')
  if not group then return end
  local own, part = scopes_of(group)
  act('queue', limit_of('queue'))
  act('task:' .. task, limit_of('task:' .. task))
  if own then act(own, limit_of(own)) end
  if part then act(part, limit_of(part)) end
end

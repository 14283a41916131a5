-- When a job was born, in ms since the epoch: its id says it. nil where the id says nothing.
local function birth_of(id)
  return tonumber(string.match(id, '^%d+'))
end

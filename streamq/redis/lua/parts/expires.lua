-- When a job is not started any more, in ms since the epoch: its header says so many ms after its birth, or `@` and the
-- time. nil where it says neither.
-- parts: own_headers birth
local function expires_at(id, headers)
  local member = own(split(headers), 'expires')
  local said = member and string.sub(headers, member.from + 1, member.to - 1) or ''
  if string.byte(said) == 64 then return tonumber(string.sub(said, 2)) end
  local birth, after = birth_of(id), tonumber(said)
  return birth and after and birth + after
end

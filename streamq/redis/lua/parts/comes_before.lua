-- Whether an entry comes before another. As texts, since numbers of 64 bits are not exact here.
local function comes_before(a, b)
  local a_ms, a_sequence = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_sequence = string.match(b, '(%d+)-(%d+)')
  if a_ms == b_ms then a_ms, b_ms = a_sequence, b_sequence end
  return #a_ms < #b_ms or #a_ms == #b_ms and a_ms < b_ms
end

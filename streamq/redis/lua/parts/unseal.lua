-- The reader of envelopes: task, headers and payload. What is missing is empty.
local function unseal(envelope)
  local first = string.find(envelope, '\n', 1, true) or #envelope + 1
  local second = string.find(envelope, '\n', first + 1, true) or #envelope + 1
  return string.sub(envelope, 1, first - 1), string.sub(envelope, first + 1, second - 1), string.sub(envelope, second + 1)
end

-- What stands before the first line feed, and what comes after it ('' when there is none).
local function cut(text)
  local at = string.find(text, '\n', 1, true)
  if not at then return text, '' end
  return string.sub(text, 1, at - 1), string.sub(text, at + 1)
end

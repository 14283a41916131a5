-- A text as one line, since a line feed ends it where it is kept.
local function line(text)
  if not string.find(text, '\n', 1, true) then return text end
  return (string.gsub(text, '\n', ' '))
end

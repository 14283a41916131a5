-- Whether a text is an id: two numbers of 64 bits, as the server writes them.
local function is_number(text)
  return (#text < 20 or #text == 20 and text <= '18446744073709551615') and (text == '0' or string.byte(text) ~= 48)
end

local function is_id(text)
  local _, _, dash, over = string.find(text, '^[1-9]%d*()%-[1-9]%d*()$')
  if dash and dash <= 20 and over - dash <= 20 then return true end -- as nearly all are: no text is cut out
  local ms, sequence = string.match(text, '^(%d+)%-(%d+)$')
  return ms ~= nil and is_number(ms) and is_number(sequence)
end

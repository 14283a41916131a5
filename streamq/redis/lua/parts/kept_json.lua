-- JSON that a script keeps, and writes again with more in it. Anybody may have written there, so what could not be written
-- again, as a number beyond all bounds, is none; and only what can be counted with is a number.

local function kept_json(text)
  local read, value = pcall(cjson.decode, text or '')
  if read and type(value) == 'table' and pcall(cjson.encode, value) then return value end
end

local function number_in(value)
  return type(value) == 'number' and value == value and math.abs(value) <= 2 ^ 53 and value or nil
end

-- One command with all of a list, or a part of it, as its arguments. `unpack` is bounded, so in slices.
local function each(command, key, list, from, to)
  to = to or #list
  for i = from or 1, to, 1000 do
    redis.call(command, key, unpack(list, i, math.min(i + 999, to)))
  end
end

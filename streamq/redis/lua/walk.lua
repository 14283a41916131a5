#!lua flags=no-writes,allow-oom
-- A page of a sorted set, from a place in it on: what was there all along is met once, whatever comes and goes beside it.
-- keys: set
-- arguments:
--   limit       at most how many
--   direction   "up" or "down"
--   score       of the place ("" to begin)
--   id          of the place
-- returns id, score and so on
local limit, up, score, id = tonumber(args.limit), args.direction == 'up', args.score, args.id

-- Whether `a` stands before `b` among equals, as the server orders them: byte by byte. (`<` may follow a language.)
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many stand before the place; it counts itself, or not.
local function passed(itself)
  local from = redis.call('ZCOUNT', keys.set, '-inf', '(' .. score)
  local to = from + redis.call('ZCOUNT', keys.set, score, score)
  while from < to do
    local middle = math.floor((from + to) / 2)
    local other = redis.call('ZRANGE', keys.set, middle, middle)[1]
    if before(other, id) or (itself and other == id) then from = middle + 1 else to = middle end
  end
  return from
end

if up then
  local from = score == '' and 0 or passed(true)
  return redis.call('ZRANGE', keys.set, from, from + limit - 1, 'WITHSCORES')
end
local to = score == '' and redis.call('ZCARD', keys.set) or passed(false)
if to == 0 then return {} end
local page, said = redis.call('ZRANGE', keys.set, math.max(0, to - limit), to - 1, 'WITHSCORES'), {}
for i = #page - 1, 1, -2 do
  said[#said + 1] = page[i]
  said[#said + 1] = page[i + 1]
end
return said

#!lua flags=allow-oom
-- Delivered entries that nobody holds (a consumer was deleted from outside) wait again. An entry leaves its
-- stream when it is acknowledged, so each one up to the group's last delivered id must be pending.
-- KEYS  1 lane  2 moved
-- ARGV  1 group  2 number of the lane  3 entry to go on after ("" to begin)  4 at most how many to look at
-- returns how many were stranded, the entry to go on after ("" when done)
local last
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local at = {}
  for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
  if at.name == ARGV[1] then last = at['last-delivered-id'] end
end
if not last then return { 0, '' } end

local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local page = redis.call('XRANGE', KEYS[1], from, last, 'COUNT', ARGV[4])
if #page == 0 then return { 0, '' } end

local held = {}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], page[1][1], page[#page][1], ARGV[4])) do
  held[pending[1]] = true
end
local stranded = 0
for _, found in ipairs(page) do
  local entry = found[1]
  if not held[entry] then
    local task, payload, headers = read(KEYS[1], entry)
    local kept, id = named(headers, entry)
    redis.call('HSET', KEYS[2], id, ARGV[2] .. ' ' .. add(KEYS[1], task, payload, kept))
    redis.call('XDEL', KEYS[1], entry)
    stranded = stranded + 1
  end
end
return { stranded, #page == tonumber(ARGV[4]) and page[#page][1] or '' }

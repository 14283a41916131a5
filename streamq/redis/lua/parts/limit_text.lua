-- Parts of a limit are told: those that come as arguments from a place on, name and value, "" to take one back. The others
-- of `field` stay. (`streamq/model/limit.py` has the names.)
local PARTS = { 'jobs', 'starts', 'window', 'weight', 'max', 'order', 'shared', 'whole', 'turns', 'errors', 'least', 'span', 'rest' }

local function limit_text(key, field, from)
  local said, text = {}, {}
  for name, value in string.gmatch(redis.call('HGET', key, field) or '', '(%l+)=([^ ]+)') do said[name] = value end
  for at = from, #ARGV, 2 do said[ARGV[at]] = ARGV[at + 1] ~= '' and ARGV[at + 1] or nil end
  for _, name in ipairs(PARTS) do
    if said[name] then text[#text + 1] = name .. '=' .. said[name] end
  end
  if #text == 0 then redis.call('HDEL', key, field) else redis.call('HSET', key, field, table.concat(text, ' ')) end
end

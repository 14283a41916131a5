-- Jobs of tasks that name one for it (`on_failed`) are followed by a job of that task, in their own queue, when they have
-- failed for good, and is of their group. What such a follower fails of starts no other.
-- parts: clock record_job add own_headers

-- It waits in the line of its group. Its id is one of its lane, though it is never read there.
local function follow_in_line(task, payload, headers)
  -- parts: wait
  local id = add(keys.lanes[lane.ready], task, '', '')
  redis.call('XDEL', keys.lanes[lane.ready], id)
  wait(id, task, payload, '{"id":"' .. id .. '",' .. string.sub(headers, 2))
end

-- The headers of a follower: whose it is, its group, and what of its payload is masked, as it was in the failed job.
local function follower_headers(id, list)
  local member, masked = own(list, 'masked'), {}
  local read, pointers = pcall(cjson.decode, member and string.sub(list.headers, member.from, member.to) or '')
  for _, pointer in ipairs(read and type(pointers) == 'table' and pointers or {}) do
    if type(pointer) == 'string' then masked[#masked + 1] = '/payload' .. pointer end
  end
  -- parts: group_of
  local group = group_of(list.headers)
  return '{"follows":' .. cjson.encode(id) .. (group and ',"group":"' .. group .. '"' or '')
    .. (#masked > 0 and ',"masked":' .. cjson.encode(masked) or '') .. '}', group
end

local function follow_one(id, record)
  local task, headers, payload, outcome = job_of(record)
  local follower = redis.call('HGET', keys.followers, task)
  local list = follower and split(headers)
  if not follower or own(list, 'follows') then return end
  local read, error = pcall(cjson.decode, outcome)
  error = read and type(error) == 'table' and error or {}
  local queue, number = string.match(keys.followers, '{([^#}]+)#?(%d*)') -- as people know them
  local known = number == '' and id or id .. '.' .. number
  local failed = string.format('{"id":%s,"queue":%s,"task":%s,"error_type":%s,"error":%s,"payload":', cjson.encode(known),
    cjson.encode(queue), cjson.encode(task), cjson.encode(tostring(error.type or '')), cjson.encode(tostring(error.message or '')))
  -- what another program wrote may be no JSON
  local whole = (#payload < 4096 and pcall(cjson.decode, payload) or string.find(payload, '^[%[{"]')) and payload or 'null'
  local new, group = follower_headers(id, list)
  if group then return follow_in_line(follower, failed .. whole .. '}', new) end
  add(keys.lanes[lane.ready], follower, failed .. whole .. '}', new)
end

-- `records` alternates id and record, all of it or a part.
local function follow(records, from, to)
  if redis.call('EXISTS', keys.followers) == 0 then return end -- as in most queues
  for i = from or 1, to or #records, 2 do follow_one(records[i], records[i + 1]) end
end

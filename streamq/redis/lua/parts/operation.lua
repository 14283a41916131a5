-- Background operations: how far each is stands in one text, which the script that acts writes in the same call.
-- parts: clock

-- Whether it is of a form that is known: `left` has the states that a purge has not come to, and `cursor` says how far an
-- operation by filter has looked. Another's is left alone.
local function is_known(operation)
  local known = (type(operation.left) == 'table' or type(operation.cursor) == 'string') and type(operation.last) == 'table'
  return known and tonumber(operation.done) and tonumber(operation.created_ms) and tonumber(operation.last_end)
end

local function read_operation(id)
  local text = redis.call('HGET', keys.operations, id)
  if not text then return nil end
  local read, operation = pcall(cjson.decode, text)
  if not read or type(operation) ~= 'table' then return nil end
  if operation.state ~= 'running' then return type(operation.state) == 'string' and operation or nil end
  return is_known(operation) and operation or nil
end

local function write_operation(id, operation)
  operation.updated_ms = now
  if operation.left and #operation.left == 0 then operation.left = nil end -- an empty table has no form of a list
  redis.call('HSET', keys.operations, id, cjson.encode(operation))
end

local function end_operation(operation, state)
  operation.state, operation.ended_ms = state, now
end

-- Background operations: how far each is stands in one text, which the script that acts writes in the same call.
-- parts: clock kept_json

-- Whether it is of a form that is known: `left` has the states that a purge has not come to, and `cursor` says how far an
-- operation by filter has looked. Another's is left alone.
local NUMBERS = { 'looked', 'skipped', 'rate', 'canary', 'credit', 'credit_ms', 'failed_again', 'before' }
local KINDS = { purge = 'left', drain = 'left', retry = 'cursor', cancel = 'cursor', promote = 'cursor', delete = 'cursor' }
local TYPES = { left = 'table', cursor = 'string' }
local function is_known(operation)
  for _, name in ipairs(NUMBERS) do
    if operation[name] ~= nil and not number_in(operation[name]) then return false end
  end
  for _, list in ipairs({ operation.trial or {}, operation.states or {} }) do
    for _, text in ipairs(type(list) == 'table' and list or { false }) do
      if type(text) ~= 'string' then return false end
    end
  end
  if (operation.rate or 1) <= 0 then return false end
  local course = KINDS[operation.kind]
  local known = course and type(operation[course]) == TYPES[course] and type(operation.states) == 'table'
  known = known and type(operation.last) == 'table' and type(operation.trial or {}) == 'table'
  return known and number_in(operation.done) and number_in(operation.created_ms) and number_in(tonumber(operation.last_end))
end

local function read_operation(id)
  local text = redis.call('HGET', keys.operations, id)
  if not text then return nil end
  local operation = kept_json(text)
  if not operation then return nil end
  if operation.state ~= 'running' then return type(operation.state) == 'string' and operation or nil end
  return is_known(operation) and operation or nil
end

local function write_operation(id, operation)
  operation.updated_ms = now
  if type(operation.left) == 'table' and #operation.left == 0 then operation.left = nil end -- an empty table has no form of a list
  redis.call('HSET', keys.operations, id, cjson.encode(operation))
end

local function end_operation(operation, state)
  operation.state, operation.ended_ms = state, now
end

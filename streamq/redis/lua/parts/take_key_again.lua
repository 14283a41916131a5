-- A finished job that is to run again takes its unique key again, unless another job has it. A window is left alone: it
-- counts from a job's birth, and this one was born long ago.
-- parts: key_of holder_of_key

-- The key and the id of the job that has it; nothing when the key is taken now, or there is none to take.
local function take_key_again(id, headers)
  local key = key_of(headers)
  local member = key and own(split(headers), 'until')
  local taken = member and string.sub(headers, member.from + 1, member.to - 1) or 'done'
  if not key or taken == 'window' then return nil end
  local other = holder_of_key(key)
  if other then return key, other end
  stand(key, id, taken)
end

#!lua flags=no-writes,allow-oom
-- Records of jobs that have ended, or envelopes of jobs that are parked.
-- keys: parked delayed finished
-- arguments:
--   place    "finished" or "parked"
--   ids...
-- returns for each id its record, or its envelope, "" where there is none, and its due time, "" where it has none;
--   fewer than asked when the budget of bytes is used up
-- parts: budget
local bytes, said = 0, {}
for i = first.ids, #ARGV do
  local id = ARGV[i]
  local found, due
  if args.place == 'finished' then
    found = redis.call('HGET', keys.finished, id)
  else
    found, due = redis.call('HGET', keys.parked, id), redis.call('ZSCORE', keys.delayed, id)
  end
  said[#said + 1], said[#said + 2] = found or '', due or ''
  bytes = bytes + #(found or '')
  if bytes > BUDGET then break end
end
return said

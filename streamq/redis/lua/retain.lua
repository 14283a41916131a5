#!lua flags=allow-oom
-- How many records are kept is told to a queue, or of a task in it. Its workers hear of it.
-- keys: retention signals
-- arguments:
--   limit       at most how many fields the key may have
--   fields...   name and value of each; "" to take it back
-- returns 1, or 0 when there would be too many
-- expects: retention
if redis.call('HLEN', keys.retention) + (#ARGV - first.fields + 1) / 2 > tonumber(args.limit) then
  for at = first.fields, #ARGV, 2 do
    if ARGV[at + 1] ~= '' and redis.call('HEXISTS', keys.retention, ARGV[at]) == 0 then return 0 end
  end
end
for at = first.fields, #ARGV, 2 do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', keys.retention, ARGV[at])
  else
    redis.call('HSET', keys.retention, ARGV[at], ARGV[at + 1])
  end
end
-- parts: publish
redis.pcall(PUBLISH, keys.signals, 'steer\n\n')
return 1

#!lua flags=allow-oom
-- A shared limit is changed: what code says of it, or what operators told, which goes before.
-- keys: shared shared_lease
-- arguments:
--   source    "code" or "told"
--   name
--   parts...  name and value of each part; "" to take it back
-- returns what code says, what was told, and the queues that draw from it
-- parts: shared_queues limit_text
limit_text(keys.shared, args.source .. ' ' .. args.name, first.parts)
local said = redis.call('HMGET', keys.shared, 'code ' .. args.name, 'told ' .. args.name)
return { said[1] or '', said[2] or '', shared_queues(args.name) }

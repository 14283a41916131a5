#!lua flags=allow-oom
-- Give up the seats that somebody holds: it stops, or it is lost.
-- keys: seats...
-- arguments:
--   who
for seat = 1, #keys.seats do
  if redis.pcall('GET', keys.seats[seat]) == args.who then redis.call('DEL', keys.seats[seat]) end
end
return 'OK'

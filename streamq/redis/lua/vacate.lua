#!lua flags=allow-oom
-- Give up the seats that somebody holds: it stops, or it is lost.
-- KEYS  seats
-- ARGV  1 whose
for _, seat in ipairs(KEYS) do
  if redis.pcall('GET', seat) == ARGV[1] then redis.call('DEL', seat) end
end
return 'OK'

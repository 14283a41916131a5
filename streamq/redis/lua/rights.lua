#!lua flags=no-writes,allow-oom
-- Which of these commands our user may not run.
-- It has no keys: a user without rights to them must be able to ask.
-- arguments:
--   commands...   of each the number of its words, and the words
-- returns the places of those that it may not run, from 1; what the server does not know counts as allowed
local refused, at, number = {}, first.commands, 0
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  number = number + 1
  local known, allowed = pcall(redis.acl_check_cmd, unpack(ARGV, at + 1, at + count))
  if known and not allowed then refused[#refused + 1] = number end
  at = at + count + 1
end
return refused

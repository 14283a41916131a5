#!lua flags=allow-oom
-- What a person has done is noted, on a full server too, and the oldest notes beyond a number are forgotten.
-- keys: trail
-- arguments:
--   limit       how many are kept, about: whole blocks of them are forgotten
--   fields...   names and values
redis.call('XADD', keys.trail, 'MAXLEN', '~', args.limit, '*', unpack(ARGV, first.fields))
return 1

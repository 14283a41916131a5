#!lua
-- A request that may come again is begun, or goes on, under its key; only one of them at a time.
-- keys: request
-- arguments:
--   fingerprint   of what is asked for
--   token         of who asks now; the same when it goes on
--   lease         ms after which another may go on with it, unless it is claimed again
--   remembered    ms the key is kept
-- returns "begun"   or "other", when the key was that of another request   or "running" and for how many ms it is claimed
--   or "answered" and the first answer
-- parts: clock
local fingerprint, token, ends, answer = unpack(redis.call('HMGET', keys.request, 'fingerprint', 'token', 'until', 'answer'))
if fingerprint and fingerprint ~= args.fingerprint then return { 'other' } end
if answer then return { 'answered', answer } end
local left = (tonumber(ends) or 0) - now
if token and token ~= args.token and left > 0 then return { 'running', left } end
redis.call('HSET', keys.request, 'fingerprint', args.fingerprint, 'token', args.token, 'until', string.format('%.0f', now + args.lease))
redis.call('PEXPIRE', keys.request, args.remembered)
return { 'begun' }

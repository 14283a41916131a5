#!lua flags=allow-oom
-- The end of a request that may come again: its answer is kept; or it may be asked anew, with another body too where
-- nothing can have come of it.
-- keys: request
-- arguments:
--   token         of who asked
--   outcome       "answer", "again" (the same may be asked at once) or "forget"
--   answer
--   remembered    ms the answer is kept
-- returns 1, or 0 when somebody else goes on with it
if redis.call('HGET', keys.request, 'token') ~= args.token or redis.call('HEXISTS', keys.request, 'answer') == 1 then return 0 end
if args.outcome == 'answer' then
  redis.call('HSET', keys.request, 'answer', args.answer)
  redis.call('PEXPIRE', keys.request, args.remembered)
elseif args.outcome == 'again' then
  redis.call('HDEL', keys.request, 'token', 'until')
else
  redis.call('DEL', keys.request)
end
return 1

-- Jobs are failed no more: they were retried or deleted, or their records are forgotten.
-- parts: each
local function failed_no_more(ids)
  if #ids == 0 or redis.call('EXISTS', keys.fingerprints) == 0 then return end -- as in most queues
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    local members = {}
    for i, fingerprint in ipairs(redis.call('HMGET', keys.fingerprints, unpack(slice))) do
      if fingerprint then members[#members + 1] = fingerprint .. '\n' .. slice[i] end
    end
    each('ZREM', keys.fingerprinted, members)
    each('HDEL', keys.fingerprints, slice)
  end
end

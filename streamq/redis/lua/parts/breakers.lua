-- Circuit breakers: how many jobs of a scope have failed of late. At a share of them its gate is closed for a while; then
-- one job is let through at a time, until one of them does not fail. (Release It!, M. Nygard, 2007.) A closed gate is a
-- pause that says `"breaker":true`; its `probe` is the job that was let through last.
-- parts: clock limits
local BUCKETS = 10 -- of a window, which moves on by one of them

local function write_pause(scope, limit, told)
  local ends = told.until_ms
  redis.call('HSET', keys.limits, 'pause ' .. scope, string.format('%.0f', ends) .. ' ' .. cjson.encode(told))
  redis.call('ZADD', keys.opens, ends, scope)
  limit['until'], limit.broken = ends, told
  -- parts: signal_due
  signal_due(string.format('%.0f', ends))
end

-- A job is let through to see whether others would fail.
local function let_probe(scope, limit, id)
  limit.broken.probe, limit.broken.until_ms = id, now + (limit.rest or 30000)
  write_pause(scope, limit, limit.broken)
end

local function count_ends(scope, limit, good, bad)
  local key, size = keys.errors .. scope, math.max(1, math.floor(limit.span / BUCKETS))
  local bucket = math.floor(now / size)
  if good > 0 then redis.call('HINCRBY', key, 'good ' .. bucket, good) end
  if bad > 0 then redis.call('HINCRBY', key, 'bad ' .. bucket, bad) end
  redis.call('PEXPIRE', key, limit.span + size)
  local sums, said = { good = 0, bad = 0 }, redis.call('HGETALL', key)
  for i = 1, #said, 2 do
    local kind, at = string.match(said[i], '^(%l+) (%d+)$')
    if kind and bucket - at < BUCKETS then sums[kind] = sums[kind] + said[i + 1] else redis.call('HDEL', key, said[i]) end
  end
  local all = sums.good + sums.bad
  if bad == 0 or all < (limit.least or 10) or sums.bad < all * limit.errors then return end
  if limit['until'] and limit['until'] > now then return end -- it is paused: what is told by people, or by a 429, stays
  redis.call('UNLINK', key)
  write_pause(scope, limit, { breaker = true, by = 'breaker', since_ms = now, until_ms = now + (limit.rest or 30000),
    reason = string.format('%d of %d jobs have failed within %g s', sums.bad, all, limit.span / 1000) })
end

-- Attempts have ended: of each id whether it failed; nothing where that says nothing of others.
local function note_ends(ids, failed)
  local ends = {}
  for from = 1, #ids, 1000 do
    local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
    for i, told in ipairs(redis.call('HMGET', keys.out, unpack(slice))) do
      local id, has_failed = slice[i], failed[from + i - 1]
      if told and has_failed ~= nil then
        -- parts: each_scope
        each_scope(told, function(scope, limit)
          if not (limit and limit.errors and limit.span) then return end
          local of = ends[scope] or { good = 0, bad = 0, limit = limit }
          ends[scope] = of
          if not limit.broken then
            of[has_failed and 'bad' or 'good'] = of[has_failed and 'bad' or 'good'] + 1
          elseif limit.broken.probe == id then
            of.probe_failed = has_failed
          end
        end)
      end
    end
  end
  for scope, of in pairs(ends) do
    if of.probe_failed == false then
      redis.call('HDEL', keys.limits, 'pause ' .. scope)
      redis.call('ZADD', keys.opens, now, scope)
      -- parts: ring
      ring()
    elseif of.probe_failed then
      of.limit.broken.until_ms, of.limit.broken.probe = now + (of.limit.rest or 30000), nil
      write_pause(scope, of.limit, of.limit.broken)
    elseif of.good + of.bad > 0 then
      count_ends(scope, of.limit, of.good, of.bad)
    end
  end
end

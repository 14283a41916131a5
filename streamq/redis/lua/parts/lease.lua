-- What the queue may draw of shared limits, until its lease of them ends. (`shared_lease.lua` grants it, and the leaser
-- asks for it where the gate finds it short.) In `leases`: name → how much its running jobs may hold, how much may start
-- ("-" for each where nothing is said), until when in ms, the lease, how much of it was started, and when last.
-- parts: clock limits own_headers
local leases, short, asked = {}, {}, {} -- what is asked for where nothing is short: whether a limit allows more by now

local function lease_of(name)
  if leases[name] ~= nil then return leases[name] end
  local hold, start, ends, token, spent, last = string.match(redis.call('HGET', keys.leases, name) or '',
    '^(%S+) (%S+) (%d+) (%S+) (%d+) (%d+)$')
  leases[name] = hold and { hold = tonumber(hold), start = tonumber(start), has_rate = start ~= '-', ends = tonumber(ends),
    token = token, spent = tonumber(spent), last = tonumber(last) } or false
  return leases[name]
end

-- The shared limits that a job draws from, its queue's and its task's: those that operators know, and those by which
-- partitions share what is said of all of them (`whole`). nil for none.
local shares = {}
local function shared_by(task)
  if shares[task] == nil then
    local names = {}
    for _, limit in ipairs({ limit_of('queue') or {}, limit_of('task:' .. task) or {} }) do
      for _, name in ipairs({ limit.whole or '', limit.shared or '' }) do
        if name ~= '' and names[1] ~= name and names[2] ~= name then names[#names + 1] = name end
      end
    end
    shares[task] = #names > 0 and names or false
  end
  return shares[task] or nil
end

local function units_of(headers)
  if not string.find(headers, '"units"', 1, true) then return 1 end
  return math.max(1, count_of(split(headers), 'units'))
end

-- How much a job draws of one: of what partitions share one, as each is one job.
local function units_from(name, headers)
  return string.find(name, '#', 1, true) and 1 or units_of(headers)
end

-- Whether so much may be drawn of one; when that opens in ms, or math.huge. `held` is what its running jobs hold, nil for a
-- job that holds its part already.
local function shared_opens(name, units, held)
  local limit, lease = limit_of('shared:' .. name), lease_of(name)
  if limit and limit['until'] and limit['until'] > now then
    short[name] = short[name] or units
    return limit['until']
  end
  local fits = lease and lease.ends > now and (not lease.has_rate or lease.start >= units)
    and (not held or not lease.hold or held + units <= lease.hold)
  if fits then return nil end
  short[name] = short[name] or units
  return math.huge
end

local function draw(name, units)
  local lease = lease_of(name)
  if not (lease and lease.has_rate) then return end
  lease.start, lease.spent, lease.last, lease.is_drawn = lease.start - units, lease.spent + units, now, true
end

-- What a job that is past the gate draws of shared limits, by what `out` tells of it.
local function each_draw(told, act)
  for name, units in string.gmatch(string.match(told or '', '^[^\n]*\n[^\n]*\n(.*)$') or '', '(%S+)=(%d+)') do act(name, tonumber(units)) end
end

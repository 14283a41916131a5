#!lua flags=allow-oom
-- What is known of a job that tells why it does not run now.
-- keys: lanes moved parked delayed finished steering cancels unique workers chief
-- arguments:
--   id
-- returns nothing where there is no such job, else
--   what `locate.lua` says of it
--   its lane, 0 where it lies in none; how many wait in each lane, and how many jobs are active
--   how many wait before it in its lane, and 1 where that is exact
--   the pause of the queue, that of its task, what was said by who asked for its end; "" for none of each
--   the beats of its worker, "" where it does not beat; who does the queue's upkeep, "" for nobody
--   the id of the job that has its unique key; the server's time
-- parts: located ahead waiting
local found, number, entry = located(args.id)
if #found == 0 or found[1] == 'finished' then return #found > 0 and { found } or {} end

local function told(key, field)
  return redis.call('HGET', key, field) or ''
end

local waits, waiting, active = found[3] == '', {}, 0
local ahead, exact = 0, 1
for lane = 1, #keys.lanes do
  waiting[lane] = waiting_in(lane)
  active = active + redis.call('XLEN', keys.lanes[lane]) - waiting[lane]
end
if number and waits then ahead, exact = ahead_of(number, entry, waiting[number]) end

local task, headers = found[5], found[7]
if not number then
  -- parts: unseal
  task, headers = unseal(found[3])
end
-- parts: key_of standing
local key = not number and key_of(headers)
return {
  found, number or 0, waiting, active, ahead, exact,
  told(keys.steering, 'paused'), told(keys.steering, 'task:' .. task), told(keys.cancels, args.id),
  number and not waits and redis.call('ZSCORE', keys.workers, found[3]) or '', redis.call('GET', keys.chief) or '',
  key and standing_of(key) or '', now,
}

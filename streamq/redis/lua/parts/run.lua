-- The reader and the writer of the state of a schedule, as `runs` keeps it. (`streamq/model/schedule_state.py` reads it.)

-- The last planned time that was looked at and when that was, the job of the last run ("-" for none), how many runs there
-- were, how many were left out as the one before was not at its end, how many were missed, and the pause.
local function run_of(text)
  local planned, at, job, fired, skipped, missed, pause = string.match(text or '', '^(%d+) (%d+) (%S+) (%d+) (%d+) (%d+) (.*)$')
  if not planned then return { planned = 0, at = 0, job = '-', fired = 0, skipped = 0, missed = 0, pause = '' } end
  return {
    planned = tonumber(planned), at = tonumber(at), job = job, fired = tonumber(fired), skipped = tonumber(skipped),
    missed = tonumber(missed), pause = pause,
  }
end

local function write_run(name, run)
  local text = string.format('%.0f %.0f %s %.0f %.0f %.0f %s', run.planned, run.at, run.job, run.fired, run.skipped, run.missed, run.pause)
  redis.call('HSET', keys.runs, name, text)
end

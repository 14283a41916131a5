"""Bugs in schedules: in their planned times, in what is done with missed ones, and in who runs them."""

from __future__ import annotations

from .fault import Fault

_TICKS = "tests/engine/test_schedules.py::test_"
_PLANS = "tests/engine/test_schedule_plans.py::test_"
_DAYLIGHT = "tests/engine/test_daylight_saving.py"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "schedules: the planned time is not compared",
        "streamq/redis/lua/tick.lua",
        "if not score or tonumber(score) ~= tonumber(args.expected) then",
        "if false then",
        f"{_TICKS}of_many_schedulers_one_runs_a_planned_time",
    ),
    Fault(
        "schedules: the next planned time is not set",
        "streamq/redis/lua/tick.lua",
        "    redis.call('ZADD', keys.ticks, args.next, args.name)\n",
        "",
        f"{_TICKS}of_many_schedulers_one_runs_a_planned_time",
    ),
    Fault(
        "schedules: overlapping runs are not left out",
        "streamq/redis/lua/tick.lua",
        "args.overlap ~= 'skip' or run.job",
        "args.overlap ~= 'never' or run.job",
        f"{_TICKS}a_run_is_left_out_while_the_job_of_the_one_before_is_not_at_its_end",
    ),
    Fault(
        "schedules: a run that is to wait runs beside the one before",
        "streamq/redis/lua/tick.lua",
        "if not standing then",
        "if standing or not standing then",
        f"{_TICKS}runs_that_are_to_queue_wait_for_those_before_and_are_run_one_after_the_other",
    ),
    Fault(
        "schedules: a change is not guarded",
        "streamq/redis/lua/schedule_put.lua",
        "if version_of(args.name) ~= args.version or",
        "if",
        f"{_TICKS}a_change_is_guarded_by_the_version_and_nothing_changes_when_it_is_refused",
    ),
    Fault(
        "schedules: a changed one that was paused runs",
        "streamq/redis/lua/schedule_put.lua",
        "if args.next == '' or run.pause ~= '' then",
        "if args.next == '' then",
        f"{_TICKS}what_code_declares_is_kept_and_told_as_orphaned_when_it_is_no_more",
    ),
    Fault(
        "schedules: nobody is told of a change",
        "streamq/redis/lua/parts/signal_schedules.lua",
        "redis.pcall(PUBLISH, keys.signals, 'schedules\\n\\n')",
        "redis.pcall('ECHO', 'schedules')",
        f"{_TICKS}a_worker_runs_a_schedule_in_time_and_hears_of_changes",
    ),
    Fault(
        "schedules: a deputy runs nothing",
        "streamq/duties/ticker.py",
        "if at is not None and at + OVERDUE * 1000 <= now:",
        "if False:",
        f"{_TICKS}a_deputy_runs_what_its_chief_leaves_lying",
    ),
    Fault(
        "schedules: a queue without jobs is struck",
        "streamq/duties/pruner.py",
        " or bool(await self._store.schedules.count(queue))",
        "",
        f"{_TICKS}a_queue_that_has_but_a_schedule_stays_known_to_schedulers",
    ),
    Fault(
        "schedules: what is missed always has one run",
        "streamq/model/misfire.py",
        'misfire == "once" or now - due[-1] <= LATE',
        "True",
        f"{_PLANS}a_rare_run_that_was_missed_is_skipped_or_made_up_for",
    ),
    Fault(
        "schedules: the oldest missed times are made up for, not the latest",
        "streamq/model/schedule.py",
        "return found[-most:]",
        "return found[:most]",
        f"{_PLANS}a_long_outage_of_a_dense_schedule_costs_no_more_than_a_short_one",
    ),
    Fault(
        "schedules: all intervals begin at once",
        "streamq/model/schedule.py",
        "return _by_chance(self._schedule.name, self._every)",
        "return 0",
        f"{_PLANS}intervals_without_a_start_are_spread_and_the_same_in_every_process",
    ),
    Fault(
        "schedules: a calendar counts for nothing",
        "streamq/model/schedule.py",
        "self._closing.at(found.at) if self._closing else None",
        "None",
        f"{_PLANS}planned_times_in_a_calendar_are_left_out",
    ),
    Fault(
        "schedules: a time that does not exist is put off by the hour",
        "streamq/model/cron.py",
        "Occurrence(_ms(self._set(other, at)), wall, Wall.MISSING)",
        "Occurrence(_ms(at), wall, Wall.MISSING)",
        _DAYLIGHT,
    ),
    Fault(
        "schedules: a time of the first of two equal hours comes in the second",
        "streamq/model/cron.py",
        "if found.at > _ms(moment):",
        "if True:",
        _DAYLIGHT,
    ),
    Fault(
        "schedules: a line of steps runs once in two equal hours",
        "streamq/model/cron.py",
        "            wall = self._wall(moment) - _SECOND\n",
        "            wall = max(wall, self._wall(moment) - _SECOND)\n",
        _DAYLIGHT,
    ),
    Fault(
        "schedules: of the missed times of `all` the first alone is run",
        "streamq/duties/ticker.py",
        "following = due.runs[1] if len(due.runs) > 1 else self._after(now)",
        "following = self._after(now)",
        f"{_TICKS}after_an_outage_the_misfire_policy_decides",
    ),
)

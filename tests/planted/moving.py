"""Bugs of queues that move, and of jobs that come from elsewhere."""

from __future__ import annotations

from .fault import Fault

_KILLED = "tests/moving/test_migrate_kills.py::test_a_move_that_is_killed_again_and_again_brings_all_there_is"
_COMMAND = "tests/moving/test_migrate_command.py::"
_IMPORT = "tests/moving/test_import_bullmq.py::"
_ODD = "tests/moving/test_import_odd.py::"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "migrate: whoever has lost the lead writes on",
        "streamq/redis/lua/migrate_land.lua",
        "if redis.call('GET', keys.migrator) ~= args.token then return 0 end",
        "local lead = redis.call('GET', keys.migrator)",
        f"{_COMMAND}test_of_two_at_once_one_is_refused_and_a_silent_one_can_write_nothing_any_more",
    ),
    Fault(
        "migrate: a queue is closed while its jobs run",
        "streamq/redis/lua/migrate_leave.lua",
        "if active > 0 then return active end",
        "if active > 1e9 then return active end",
        f"{_COMMAND}test_jobs_that_do_not_end_in_time_leave_the_queue_paused_and_the_move_to_be_gone_on_with",
    ),
    Fault(
        "migrate: the pause of the move stays",
        "streamq/redis/lua/migrate_leave.lua",
        "redis.call('HDEL', keys.steering, 'paused')",
        "redis.call('HLEN', keys.steering)",
        f"{_COMMAND}test_jobs_that_do_not_end_in_time_leave_the_queue_paused_and_the_move_to_be_gone_on_with",
    ),
    Fault(
        "migrate: what differs is not copied again",
        "streamq/moving/copying.py",
        "if not (differing := await self._differing()):",
        "if not (differing := (await self._differing())[:0]):",
        "tests/moving/test_migrate_kills.py::test_what_differs_is_copied_again_until_both_sides_are_equal",
    ),
    Fault(
        "migrate: a move that is under way goes elsewhere",
        "streamq/moving/mover.py",
        "if there.id != here.id and here.peer != _name(self._to):",
        "if here.peer == '':",
        f"{_COMMAND}test_a_move_to_one_place_is_not_gone_on_with_to_another",
    ),
    Fault(
        "migrate: the groups of streams are not carried over",
        "streamq/moving/copying.py",
        'if kind == "stream":',
        'if kind == "streams":',
        _KILLED,
    ),
    Fault(
        "import: jobs are taken from the end at which producers add",
        "streamq/store/bullmq.py",
        "for job in reversed(page):",
        "for job in page:",
        f"{_IMPORT}test_an_import_that_is_killed_again_and_again_brings_each_job_once_and_in_order",
    ),
    Fault(
        "import: a job that was taken is forgotten before it is here",
        "streamq/store/bullmq.py",
        "found = {place.id: place async for place in self._taken(queue)}",
        "found: dict[str, Place] = {}",
        f"{_IMPORT}test_a_job_that_was_taken_and_is_not_here_yet_comes_with_the_next_run",
    ),
    Fault(
        "import: the workers of a queue that is read are not minded",
        "streamq/moving/importing.py",
        "if not (self._takes or kept.is_paused):",
        "if queue == '':",
        f"{_IMPORT}test_what_is_only_read_stays_there_and_comes_once",
    ),
    Fault(
        "import: what is in the way of a queue is told when others have come",
        "streamq/cli/imports.py",
        "                _refuse(found)\n",
        "",
        f"{_ODD}test_an_import_is_refused_before_a_job_comes_and_what_is_named_comes_without_the_others",
    ),
)

"""Bugs of what is kept: retention, the removal of queues, the audit trail, records of services."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "what is told of completed jobs is not heard by the settler",
        "streamq/store/outcomes.py",
        "keep = told.queue.completed",
        "pass",
        "tests/engine/test_retention.py::"
        "test_what_is_told_at_run_time_holds_for_workers_that_run_and_for_the_pruner",
    ),
    Fault(
        "whoever cancels cuts by its own settings",
        "streamq/redis/lua/parts/failures_kept.lua",
        "tonumber(string.match(redis.call('HGET', keys.retention, 'failed') or '', '^%d+$') or keep)",
        "tonumber(keep)",
        "tests/engine/test_retention.py::"
        "test_what_is_told_at_run_time_holds_for_workers_that_run_and_for_the_pruner",
    ),
    Fault(
        "a record that runs again is deleted with those of its task",
        "streamq/redis/lua/tidy.lua",
        "if redis.call('ZREM', index, id) == 1 then mine[#mine + 1] = id end",
        "redis.call('ZREM', index, id) mine[#mine + 1] = id",
        "tests/engine/test_retention.py::test_a_failed_job_of_such_a_task_that_ran_again_keeps_its_record",
    ),
    Fault(
        "a queue with delayed jobs and records alone counts as empty",
        "streamq/redis/lua/queue_remove.lua",
        "if redis.call('HLEN', keys.parked) + redis.call('HLEN', keys.finished) > 0 then return 'jobs' end",
        "",
        "tests/engine/test_queue_removal.py::test_delayed_jobs_and_records_alone_are_in_the_way",
    ),
    Fault(
        "a cursor of the audit trail skips what other queues did at that moment",
        "streamq/store/trail.py",
        "'' if queue < before[2] else '('",
        "'('",
        "tests/engine/test_audit_trail.py::test_acts_of_one_moment_in_several_queues_are_all_met",
    ),
    Fault(
        "who acts in a thread is not known",
        "streamq/audited.py",
        "who = actor() or by",
        "who = by",
        "tests/engine/test_audit_trail.py::test_threads_act_by_the_name_that_they_say",
    ),
    Fault(
        "a version of an entry begins again with the entry",
        "streamq/redis/lua/parts/entry.lua",
        "return math.max(clock[1] * 1000000 + clock[2], before + 1)",
        "return before + 1",
        "tests/engine/test_records.py::test_of_many_who_add_or_change_an_entry_at_once_one_does",
    ),
    Fault(
        "the oldest slice of a window is left out",
        "streamq/redis/lua/records_count.lua",
        "elseif number >= this - slices then",
        "elseif number > this - slices / 2 then",
        "tests/engine/test_records.py::test_a_window_slides_and_its_count_is_never_too_low",
    ),
)

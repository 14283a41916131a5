"""Bugs of cancelling, changing and deleting jobs."""

from __future__ import annotations

from .fault import Fault

CANCEL = "tests/engine/test_cancel.py::"
CHANGE = "tests/engine/test_change.py::"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "settle: a retry that was to end runs again",
        "streamq/redis/lua/settle.lua",
        "if (kind == outcome.delayed or kind == outcome.held) and redis.call('HLEN', keys.cancels) > 0 then",
        "if false then",
        CANCEL + "test_a_job_that_was_to_end_is_not_run_again_by_whatever_way_it_leaves_its_worker",
    ),
    Fault(
        "release: a job that was to end waits again",
        "streamq/redis/lua/release.lua",
        "local told = told_any and",
        "local told = false and",
        CANCEL + "test_a_job_that_was_to_end_is_not_run_again_by_whatever_way_it_leaves_its_worker",
    ),
    Fault(
        "reclaim: a job that was to end starts again",
        "streamq/redis/lua/reclaim.lua",
        "if not told then return false end",
        "if true then return false end",
        CANCEL + "test_a_job_that_was_to_end_is_not_run_again_by_whatever_way_it_leaves_its_worker",
    ),
    Fault(
        "requeue: the request of the life before ends the next one",
        "streamq/redis/lua/parts/again.lua",
        "each('HDEL', keys.cancels, ids)",
        "",
        CANCEL + "test_a_request_that_came_too_late_ends_nothing_and_is_forgotten",
    ),
    Fault(
        "requeue: the unique key is not taken again",
        "streamq/redis/lua/parts/take_key_again.lua",
        "  stand(key, id, taken)",
        "",
        CHANGE + "test_a_failed_job_is_tried_again_only_while_no_other_has_its_unique_key",
    ),
    Fault(
        "cancel: a cancelled job keeps its unique key",
        "streamq/redis/lua/parts/cancelled.lua",
        "if key then leave_key(key, id) end",
        "",
        CHANGE + "test_a_failed_job_is_tried_again_only_while_no_other_has_its_unique_key",
    ),
    Fault(
        "change: the version is not looked at",
        "streamq/redis/lua/change.lua",
        "if args.version ~= '' and",
        "if false and",
        CHANGE + "test_of_20_who_edit_one_version_at_once_one_does_and_the_others_are_told_the_new_one",
    ),
    Fault(
        "change: a waiting job is left where it was, too",
        "streamq/redis/lua/change.lua",
        "  redis.call('XDEL', keys.lanes[number], entry)",
        "",
        CHANGE + "test_a_waiting_job_that_is_changed_goes_to_the_end_of_its_lane_and_runs_once",
    ),
    Fault(
        "change: nobody is told of an earlier due time",
        "streamq/redis/lua/change.lua",
        "    signal_due(earliest)",
        "",
        CHANGE + "test_a_job_that_is_due_earlier_now_starts_then_beside_a_worker_that_waits",
    ),
    Fault(
        "counts: a deleted record counts",
        "streamq/store/queues.py",
        '("HLEN", keys.finished)',
        '("LLEN", keys.completed)',
        CHANGE + "test_a_deleted_record_is_gone_from_its_list_and_from_the_counts_also_among_very_many",
    ),
    Fault(
        "runner: what a cancelled handler returns counts",
        "streamq/worker/runner.py",
        "elif attempt.told is not None:  # whatever its handler came to after it was told",
        "elif False:",
        CANCEL + "test_a_running_job_ends_as_cancelled_whatever_its_handler_does_when_it_is_told",
    ),
    Fault(
        "runner: an expired job starts",
        "streamq/worker/runner.py",
        "if until is None or now <= until:",
        "if until is None or now > until - 10**12:",
        CANCEL + "test_a_job_starts_before_it_expires_and_not_after_and_its_worker_goes_on",
    ),
    Fault(
        "heartbeat: requests are not told",
        "streamq/worker/worker.py",
        "if beats.cancels:",
        "if False:",
        CANCEL + "test_a_request_whose_signal_is_lost_comes_with_the_next_beat",
    ),
    Fault(
        "time limits: a handler that ignores a request holds its job",
        "streamq/worker/time_limits.py",
        "attempt.timer = self._loop.call_later(CANCEL_GRACE, self._ignored, attempt)",
        "pass",
        CANCEL + "test_a_handler_that_ignores_the_request_keeps_its_slot_and_its_job_ends_all_the_same",
    ),
    Fault(
        "http: If-Match is not looked at",
        "service/http/requests.py",
        "    return int(found[1])\n\n\ndef _depth",
        "    return None\n\n\ndef _depth",
        "tests/service/test_changes.py::test_a_change_names_the_version_it_means_and_all_of_it_is_done_or_nothing",
    ),
)

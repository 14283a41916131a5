"""Bugs of pauses, bounds, purges, and the shares of queues."""

from __future__ import annotations

from .fault import Fault

GROUPS = "tests/engine/test_statistics_of_groups.py::"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "slots: those of a worker that takes no new jobs count as free",
        "streamq/model/worker_info.py",
        "return self.concurrency if self.takes_jobs else self.load.busy if self.load else 0",
        "return self.concurrency",
        "tests/engine/test_worker_loads.py::test_a_slot_of_a_worker_that_takes_no_new_jobs_is_free_for_none",
    ),
    Fault(
        "statistics of groups: an hour tells any number apart",
        "streamq/redis/lua/count_groups.lua",
        "if known >= tonumber(args.most) then",
        "if false then",
        GROUPS + "test_which_groups_are_told_apart_is_decided_for_an_hour_so_a_series_has_no_holes",
    ),
    Fault(
        "slow jobs: the floor of ten minutes outlives them",
        "streamq/worker/slowest.py",
        "self._span, self._found, self.floor = now // SPAN, [], -1.0",
        "self._span, self._found = now // SPAN, []",
        "tests/engine/test_slow.py::test_a_worker_tells_the_slowest_of_ten_minutes_and_a_quick_job_costs_a_comparison",
    ),
    Fault(
        "trusted proxy: of two headers of groups the first counts",
        "service/http/trusted_proxy.py",
        "if len(named) == 1 else []",
        "if named else []",
        "tests/service/test_trusted_proxy.py::test_groups_that_are_forged_count_for_nothing",
    ),
    Fault(
        "statistics whose answer was lost count twice",
        "streamq/redis/lua/count.lua",
        ">= tonumber(args.number) then return now end",
        "< 0 then return now end",
        "tests/engine/test_statistics.py::"
        "test_what_was_sent_and_not_answered_is_counted_once_when_it_is_sent_again",
    ),
    Fault(
        "statistics tell any number of tasks apart",
        "streamq/redis/lua/parts/sums.lua",
        "redis.call('HLEN', key) >= room then field = '*' end",
        "false then field = '*' end",
        "tests/engine/test_statistics.py::test_a_million_tasks_of_different_names_take_no_more_keys_and_bytes_than_some",
    ),
    Fault(
        "the place in line counts what was delivered already",
        "streamq/redis/lua/parts/ahead.lua",
        "'(' .. last_delivered(number)",
        "'-'",
        "tests/engine/test_why.py::"
        "test_the_place_in_a_long_line_is_exact_near_its_ends_and_about_right_between_in_bounded_calls",
    ),
    Fault(
        "a worker that is registered counts as one that is there",
        "streamq/store/workers.py",
        "if alive.get(number) != name)",
        "if number in alive and alive.get(number) != name)",
        "tests/engine/test_why.py::"
        "test_a_worker_without_a_connection_counts_as_lost_where_the_server_lets_that_be_seen",
    ),
    Fault(
        "a worker that is busy never looks at pauses",
        "streamq/worker/fetcher.py",
        "unseen.due or self._steered.due or self._slots.stopping",
        "unseen.due or self._slots.stopping",
        "tests/engine/test_steering_faults.py::test_a_worker_that_is_busy_hears_of_a_pause",
    ),
    Fault(
        "the turns that a worker is given are thrown away while they are empty",
        "streamq/worker/fetcher.py",
        "Turns() if turns is None else turns",
        "turns or Turns()",
        "tests/engine/test_sources.py::test_a_worker_of_strict_queues_takes_the_first_of_them_first",
    ),
    Fault(
        "what a beat says of pauses is not heard",
        "streamq/worker/steered.py",
        "self._stale.update(beats.steered, self._told.keys() & beats.counts.keys())",
        "pass",
        "tests/engine/test_steering_faults.py::test_a_pause_whose_signal_is_lost_is_known_by_the_beats",
    ),
    Fault(
        "held jobs wait for the next look when the pause of their task ends",
        "streamq/duties/operator.py",
        "loop.call_later(step.next_end, self._due_now, queue)",
        "pass",
        "tests/engine/test_steering_faults.py::"
        "test_a_pause_that_ends_by_itself_lets_jobs_start_and_held_ones_wait_again",
    ),
    Fault(
        "a job that is met is held although its task was resumed",
        "streamq/redis/lua/settle.lua",
        "if steered and is_paused('task:' .. task) then",
        "if true then",
        "tests/engine/test_steering_faults.py::test_a_job_that_is_held_after_its_task_was_resumed_waits_again_at_once",
    ),
    Fault(
        "a purge deletes what completes meanwhile",
        "streamq/redis/lua/purge.lua",
        "if record and (ended_at(ids[i], record) or 0) > purge.last_end then break end",
        "",
        "tests/engine/test_steering_faults.py::"
        "test_a_purge_deletes_what_there_was_whatever_the_clock_says_and_nothing_that_came_after",
    ),
    Fault(
        "a step of a purge reads jobs of any size",
        "streamq/redis/lua/purge.lua",
        "if looked >= limit or bytes > BUDGET then break end",
        "if looked >= limit then break end",
        "tests/engine/test_steering_faults.py::test_a_step_of_large_jobs_is_bounded_by_their_bytes",
    ),
    Fault(
        "callers who are too many together are all refused",
        "streamq/client/outbox.py",
        "if fitting := load.fitting(room, answer.group):",
        "if fitting := []:",
        "tests/engine/test_steering.py::"
        "test_callers_who_are_too_many_together_are_taken_as_far_as_there_is_room",
    ),
    Fault(
        "a purge needs no name of the queue",
        "service/api/operations.py",
        "if asked.body.confirm != queue.name:",
        "if False:",
        "tests/service/test_steering.py::"
        "test_a_purge_is_confirmed_by_the_name_of_the_queue_and_told_until_its_end",
    ),
)

"""Bugs that a flood of different errors, tasks and acts shows, or the death of who counts or operates."""

from __future__ import annotations

from .fault import Fault

FAILURES = "tests/floods/test_failures.py::"
FLOODED = (
    FAILURES + "test_a_flood_of_different_failures_is_bounded_in_groups_bytes_and_calls_and_counted_right"
)
TOLD = FAILURES + "test_whatever_is_told_of_how_many_are_kept_no_fingerprint_outlives_its_record"
TOTALS = "tests/engine/test_totals.py::test_a_million_tasks_and_all_buckets_take_a_few_thousand_bytes"
STATISTICS = (
    "tests/floods/test_statistics.py::"
    "test_a_flood_of_tasks_all_day_long_is_bounded_in_keys_bytes_and_answers_and_counted_once"
)
TRAIL = "tests/floods/test_trail.py::test_a_flood_of_acts_leaves_the_latest_in_bounded_bytes_and_pages"
COUNTS = (
    "tests/floods/test_kills.py::"
    "test_who_is_killed_while_it_writes_statistics_has_counted_each_job_once_or_not_at_all"
)
REDRIVES = (
    "tests/floods/test_kills.py::"
    "test_redrives_with_a_canary_go_on_where_they_were_and_keep_their_verdict_whoever_is_killed"
)

FAULTS: tuple[Fault, ...] = (
    Fault(
        "kinds of failures: there may be any number of them",
        "streamq/redis/lua/parts/failure_kinds.lua",
        "local KINDS = 1000 ",
        "local KINDS = 100000 ",
        FLOODED,
    ),
    Fault(
        "kinds of failures: one that is empty keeps its place",
        "streamq/redis/lua/parts/failure_kinds.lua",
        "      tidy_kinds()\n",
        "",
        FLOODED,
    ),
    Fault(
        "kinds of failures: the jobs of a call are counted by their places",
        "streamq/redis/lua/parts/failure_kinds.lua",
        "counts[fingerprint], samples[fingerprint] = (counts[fingerprint] or 0) + 1, id",
        "counts[fingerprint], samples[fingerprint] = i, id",
        FLOODED,
    ),
    Fault(
        "settle: a failure without a record is in a group",
        "streamq/redis/lua/settle.lua",
        "if kept then note_failures(list, at, to) end",
        "if tonumber(args.keep_failed) > 0 then note_failures(list, at, to) end",
        TOLD,
    ),
    Fault(
        "tidy: fingerprints of forgotten records stay",
        "streamq/redis/lua/tidy.lua",
        "      failed_no_more(mine)",
        "",
        TOLD,
    ),
    Fault(
        "settle: fingerprints of forgotten records stay",
        "streamq/redis/lua/settle.lua",
        "      failed_no_more(old)",
        "",
        FLOODED,
    ),
    Fault(
        "count: a minute tells any number of tasks apart",
        "streamq/redis/lua/parts/sums.lua",
        "redis.call('HEXISTS', key, field) == 0 and redis.call('HLEN', key) >= room",
        "false",
        STATISTICS,
    ),
    Fault(
        "count: an hour is kept for ever",
        "streamq/redis/lua/parts/sums.lua",
        "  redis.call('PEXPIRE', key, life)",
        "  if key == keys.minute then redis.call('PEXPIRE', key, life) end",
        STATISTICS,
    ),
    Fault(
        "count: totals tell any number of tasks apart",
        "streamq/redis/lua/count.lua",
        "add_sums(keys.totals, first.tasks, 0, args.hour_life)",
        "add_sums(keys.totals, first.tasks, 10 ^ 6, args.hour_life)",
        TOTALS,
    ),
    Fault(
        "tally: what is left over of a batch is in no histogram",
        "streamq/worker/tally.py",
        "stands_for = len(outcomes) % step or step",
        "stands_for = step",
        "tests/engine/test_totals.py::test_each_job_of_a_batch_is_in_the_histogram_once",
    ),
    Fault(
        "statistics: an answer names any number of tasks",
        "streamq/statistics.py",
        "named[:NAMED]",
        "named[:]",
        STATISTICS,
    ),
    Fault(
        "statistics: tasks that are not named are not counted either",
        "streamq/statistics.py",
        "(OTHERS, *named[NAMED:])",
        "(OTHERS,)",
        STATISTICS,
    ),
    Fault(
        "count: what is sent again counts again",
        "streamq/redis/lua/count.lua",
        ">= tonumber(args.number) then return now end",
        ">= tonumber(args.number) and now == 0 then return now end",
        COUNTS,
    ),
    Fault(
        "tally: what was not answered is sent under a new number",
        "streamq/worker/tally.py",
        'log.debug("statistics wait: %s", error)\n',
        "self._sent = {q: (n + 10**6, s) for q, (n, s) in self._sent.items()}\n",
        COUNTS,
    ),
    Fault(
        "tally: what was not answered is not sent again",
        "streamq/worker/tally.py",
        'log.debug("statistics wait: %s", error)\n',
        "self._sent.clear()\n",
        "tests/engine/test_statistics.py::"
        "test_a_tally_whose_answer_is_lost_or_whose_server_is_full_is_sent_again_and_counts_once",
    ),
    Fault(
        "settler: what another worker has done is counted by the one that lost it, too",
        "streamq/worker/settler.py",
        "said = await self._not_written(queue, part, said)",
        "said = []",
        "tests/engine/test_settling.py::test_an_outcome_that_is_sent_twice_is_counted_by_the_one_who_has_written_it",
    ),
    Fault(
        "outcomes: what was written before its answer was lost is not counted",
        "streamq/store/outcomes.py",
        "if settlement.body not in found]",
        "]",
        "tests/engine/test_settling.py::test_an_outcome_that_is_sent_twice_is_counted_by_the_one_who_has_written_it",
    ),
    Fault(
        "tally: what the server has forgotten is sent again",
        "streamq/worker/tally.py",
        "monotonic() - self._since[queue] > REPEATED",
        "False",
        "tests/engine/test_statistics.py::test_what_the_server_may_have_forgotten_to_have_counted_is_not_sent_again",
    ),
    Fault(
        "trail: it grows",
        "streamq/redis/lua/trail.lua",
        "'MAXLEN', '~', args.limit,",
        "'MAXLEN', '~', args.limit * 10,",
        TRAIL,
    ),
    Fault(
        "trail: an act may be of any length",
        "streamq/model/trail.py",
        "told if len(told) <= DETAILS else",
        "told if told else",
        TRAIL,
    ),
    Fault(
        "trail: a page reads what is older than all that it has",
        "streamq/store/trail.py",
        "rows[limit][0][0] if len(rows) > limit else 0",
        "0",
        "tests/floods/test_trail.py::test_a_page_of_many_queues_reads_little_more_than_it_has",
    ),
    Fault(
        "bulk: those on trial are known to one process alone",
        "streamq/redis/lua/bulk.lua",
        "      bulk.trial[#bulk.trial + 1] = ARGV[i]",
        "",
        REDRIVES,
    ),
    Fault(
        "bulk: a canary that fails again stops nothing",
        "streamq/redis/lua/bulk.lua",
        "  if (bulk.failed_again or 0) > 0 then",
        "  if false then",
        REDRIVES,
    ),
    Fault(
        "bulk: a job without a record was no failure",
        "streamq/redis/lua/bulk.lua",
        "elseif forgets_failures() then",
        "elseif false then",
        "tests/floods/test_kills.py::"
        "test_a_canary_whose_records_are_forgotten_while_nobody_looks_has_not_succeeded",
    ),
    Fault(
        "bulk: a job whose record is not kept is not known",
        "streamq/redis/lua/bulk.lua",
        "redis.call('ZCARD', keys.failures) >= keep and oldest >= tonumber(bulk.created_ms)",
        "true",
        "tests/floods/test_kills.py::"
        "test_a_canary_whose_records_are_forgotten_while_nobody_looks_has_not_succeeded",
    ),
    Fault(
        "bulk: a partition is handed nothing by those before it",
        "streamq/store/operations.py",
        "            state, before = handed(raw, before)\n",
        "            state, _ = handed(raw, before)\n",
        "tests/engine/test_partition_operations.py::test_what_is_left_of_a_canary_is_tried_in_the_next_partition",
    ),
    Fault(
        "bulk: a canary that fails again ends its own partition alone",
        "streamq/store/operations.py",
        '            if state != "done" or not at:\n',
        "            if not at:\n",
        "tests/engine/test_partition_operations.py::"
        "test_the_first_that_fails_again_ends_a_redrive_in_all_partitions",
    ),
    Fault(
        "gate: units count for the own limit of a queue with partitions",
        "streamq/redis/lua/parts/lease.lua",
        "return string.find(name, '#', 1, true) and 1 or units_of(headers)",
        "return units_of(headers)",
        "tests/engine/test_partition_limits.py::test_units_count_for_the_shared_limit_and_not_for_its_own",
    ),
    Fault(
        "bulk: a step in the midst of a page is not noted",
        "streamq/redis/lua/bulk.lua",
        "write_operation(args.operation, bulk)\nreturn { bulk.state, changed, on_trial",
        "if whole then write_operation(args.operation, bulk) end\nreturn { bulk.state, changed, on_trial",
        REDRIVES,
    ),
    Fault(
        "bulk: what a step has done and what it has counted are not one",
        "streamq/redis/lua/bulk.lua",
        "write_operation(args.operation, bulk)\nreturn { bulk.state, changed, on_trial",
        "if bulk.done % 500 > 50 or whole and args.next == '' then write_operation(args.operation, bulk) end\n"
        "return { bulk.state, changed, on_trial",
        "tests/promises/test_bulk.py::"
        "test_operations_whose_processes_are_killed_go_on_and_count_what_a_ledger_counts",
    ),
    Fault(
        "bulk: a step may be taken from another place",
        "streamq/redis/lua/bulk.lua",
        "if bulk.cursor ~= args.at then",
        "if false then",
        "tests/engine/test_bulk.py::test_a_step_that_is_taken_twice_counts_once",
    ),
    Fault(
        "bulk: an entry is the job's whose id it says",
        "streamq/redis/lua/bulk.lua",
        "if place == number .. ' ' .. entry or not place and ids[i] == entry and born_in(entry) == number then",
        "if true then",
        "tests/engine/test_as_read.py::"
        "test_an_entry_with_the_id_of_another_job_is_not_taken_for_it_and_no_job_is_counted_twice",
    ),
)

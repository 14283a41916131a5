"""Bugs in reading, suspects and the self-audit."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "fetcher: a stop forgets the read that is under way",
        "streamq/worker/fetcher.py",
        "while self._reads.is_reading or not self._slots.stopping:",
        "while not self._slots.stopping:",
        "tests/engine/test_fetching.py::test_what_is_read_while_jobs_start_is_neither_lost_nor_started_twice",
    ),
    Fault(
        "fetcher: an audit takes what is under way for lost",
        "streamq/worker/fetcher.py",
        "        if await self._reads.take_in(more=more):",
        "        await unseen.audit(suspects.present)\n        if await self._reads.take_in(more=more):",
        "tests/engine/test_fetching.py::test_what_is_read_while_jobs_start_is_neither_lost_nor_started_twice",
    ),
    Fault(
        "a read given up before a reconnection is left blocked",
        "streamq/store/reader.py",
        'await link.call("CLIENT", "UNBLOCK", number)',
        "pass",
        "tests/promises/test_neighbours.py::"
        "test_a_read_that_the_worker_has_given_up_is_ended_when_it_is_back",
    ),
    Fault(
        "the self-audit runs only after a lost answer",
        "streamq/worker/unseen.py",
        "return monotonic() >= self._due",
        "return self._thorough",
        "tests/engine/test_fetching.py::"
        "test_what_was_delivered_under_a_living_workers_name_and_never_arrived_is_found",
    ),
    Fault(
        "the self-audit gives back what the worker holds",
        "streamq/worker/unseen.py",
        "if (queue, lane, entry) not in known]",
        "]",
        "tests/engine/test_fetching.py::test_what_never_arrived_can_be_given_back_after_the_last_read",
    ),
    Fault(
        "every busy worker waits for a suspect",
        "streamq/redis/lua/claim_suspect.lua",
        "if type(holder) == 'string' and not mine then return 0 end",
        "",
        "tests/engine/test_suspects.py::"
        "test_beside_a_suspect_and_long_jobs_the_free_slots_go_on_with_short_jobs",
    ),
    Fault(
        "a worker waits for a suspect for ever",
        "streamq/worker/suspects.py",
        "if monotonic() >= deadline:",
        "if False:",
        "tests/engine/test_suspects.py::"
        "test_a_worker_that_waited_in_vain_fetches_on_and_waits_longer_the_next_time",
    ),
    Fault(
        "a worker does not look whether the suspect still waits",
        "streamq/redis/lua/claim_suspect.lua",
        "has_open_suspect()",
        "true",
        "tests/engine/test_suspects.py::test_a_worker_waits_no_longer_when_another_has_taken_the_suspect",
    ),
    Fault(
        "patience for a suspect does not grow",
        "streamq/worker/suspects.py",
        "patience.seconds = min(PATIENCE[1], 2 * patience.seconds)",
        "pass",
        "tests/engine/test_suspects.py::"
        "test_a_worker_that_waited_in_vain_fetches_on_and_waits_longer_the_next_time",
    ),
    Fault(
        "a second suspect runs beside the first",
        "streamq/worker/suspects.py",
        "while not self._slots.idle and not self._slots.stopping:",
        "while False:",
        "tests/engine/test_suspects.py::"
        "test_several_suspects_run_one_after_the_other_each_alone_in_its_process",
    ),
    Fault(
        "a queue whose outcomes cannot be written is waited for",
        "streamq/worker/reads.py",
        "or self._is_closed(q))]",
        ")]",
        "tests/engine/test_queue_trouble.py::"
        "test_a_queue_whose_outcomes_cannot_be_written_is_not_read_meanwhile",
    ),
    Fault(
        "a blocked queue keeps its turn",
        "streamq/worker/reads.py",
        "{queue for queue, _ in shares if self._is_closed(queue)}",
        "set[str]()",
        "tests/engine/test_queue_trouble.py::"
        "test_a_queue_that_is_blocked_in_the_middle_of_its_backlog_loses_its_turn",
    ),
    Fault(
        "the same queues have the next turn again",
        "streamq/worker/turns.py",
        "self._ring.move_to_end(queue)",
        "pass",
        "tests/engine/test_fetching.py::"
        "test_many_queues_with_few_slots_get_equal_shares_at_about_one_read_a_job",
    ),
    Fault(
        "what a queue is owed of its turn is forgotten",
        "streamq/worker/turns.py",
        "self._had.pop(queue, 0)",
        "0 * self._had.pop(queue, 0)",
        "tests/engine/test_fetching.py::test_equal_queues_differ_by_one_turn_however_the_slots_come_free",
    ),
    Fault(
        "the quantum of a turn changes within a circle",
        "streamq/worker/turns.py",
        "if self._left <= 0:",
        "if True:",
        "tests/engine/test_sources.py::test_a_quantum_that_changes_gives_no_queue_more_than_another",
    ),
    Fault(
        "the surplus of a blocking read is kept",
        "streamq/worker/reads.py",
        "self._start(source, entries[:slots], more=more)",
        "self._start(source, entries, more=more)",
        "tests/engine/test_fetching.py::test_more_than_the_free_slots_is_never_kept",
    ),
    Fault(
        "a depth that is counted too low hides a queue",
        "streamq/worker/reads.py",
        "waiting = max(depth, 1) if thorough else depth",
        "waiting = depth",
        "tests/engine/test_fetching.py::"
        "test_a_queue_whose_delivered_entries_were_deleted_by_hand_still_gets_its_turns",
    ),
    Fault(
        "no look at other queues while one has a backlog",
        "streamq/worker/reads.py",
        "            return monotonic() >= self._look_due\n",
        "            return False\n",
        "tests/engine/test_fetching.py::test_a_small_queue_beside_full_ones_is_served_at_once",
    ),
    Fault(
        "a queue's trouble is told at every try",
        "streamq/redis/troubles.py",
        "pause.until = monotonic() + pause.seconds",
        "told[str(error)] = error, [subject]",
        "tests/engine/test_queue_trouble.py::"
        "test_a_key_of_the_wrong_type_stops_its_own_queue_alone_until_it_is_gone",
    ),
    Fault(
        "a queue's trouble never ends",
        "streamq/redis/troubles.py",
        "_Pause(first, monotonic() + first)",
        "_Pause(first, monotonic() + 1e9)",
        "tests/engine/test_queue_trouble.py::"
        "test_a_key_of_the_wrong_type_stops_its_own_queue_alone_until_it_is_gone",
    ),
    Fault(
        "a group that is gone puts its queue aside",
        "streamq/worker/reads.py",
        "if isinstance(error, NoGroup) and queue not in self._joined:",
        "if False:",
        "tests/engine/test_queue_trouble.py::"
        "test_a_key_of_the_wrong_type_stops_its_own_queue_alone_until_it_is_gone",
    ),
    Fault(
        "a refused queue stops the others",
        "streamq/worker/reads.py",
        "await self._find_refused(together, slots, error)",
        "raise error",
        "tests/engine/test_queue_trouble.py::"
        "test_a_key_of_the_wrong_type_stops_its_own_queue_alone_until_it_is_gone",
    ),
    Fault(
        "an unexpected error ends the fetching",
        "streamq/worker/fetcher.py",
        "except Exception as error:  # whatever",
        "except Unavailable as error:  # whatever",
        "tests/engine/test_queue_trouble.py::test_nothing_but_its_stop_ends_the_fetching",
    ),
)

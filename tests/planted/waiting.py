"""Bugs in signals, in waiting for results, and in walks over lists."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "results: waiters never look again",
        "streamq/client/results.py",
        "        except TimeoutError:\n            self._ask(self._waiters)",
        "        except TimeoutError:\n            pass",
        "tests/engine/test_waiting.py::test_without_the_right_to_signals_waiters_look_from_time_to_time",
    ),
    Fault(
        "results: a reconnection is not a reason to look",
        "streamq/client/results.py",
        "            self._decided.set()\n            self._ask(self._waiters)",
        "            self._decided.set()\n            self._ask(self._waiters if not self._waited else ())",
        "tests/engine/test_waiting.py::test_a_finished_job_has_its_result_within_any_time",
    ),
    Fault(
        "results: what is asked during a look is lost",
        "streamq/client/results.py",
        "            await self._look(ids)\n",
        "            await self._look(ids)\n            self._unseen.clear()\n",
        "tests/engine/test_waiting.py::test_a_failure_that_is_told_during_a_look_is_looked_for_again",
    ),
    Fault(
        "results: no first look within a short time",
        "streamq/client/results.py",
        "        if self.looked:\n",
        "        if True:\n",
        "tests/engine/test_waiting.py::test_a_finished_job_has_its_result_within_any_time",
    ),
    Fault(
        "results: a close leaves its waiters alone",
        "streamq/client/results.py",
        "            self._task.cancel()\n"
        "            await asyncio.wait([self._task])\n"
        "            self._stop()  # also",
        "            self._stop()  # also",
        "tests/engine/test_waiting.py::test_a_gather_of_more_jobs_than_records_are_kept_gets_every_result",
    ),
    Fault(
        "results: a bulk send does not listen",
        "streamq/client/results.py",
        "if self._task is None and self._unawaited:",
        "if True:",
        "tests/engine/test_waiting.py::"
        "test_who_sends_many_and_never_waits_does_not_listen_for_long_nor_again",
    ),
    Fault(
        "results: who never waits listens for ever",
        "streamq/client/results.py",
        "or monotonic() < self._until:",
        "or True:",
        "tests/engine/test_waiting.py::"
        "test_who_sends_many_and_never_waits_does_not_listen_for_long_nor_again",
    ),
    Fault(
        "signals: a listener that fails stops the others",
        "streamq/redis/signals.py",
        '            except Exception:\n                log.exception("a listener',
        '            except ImportError:\n                log.exception("a listener',
        "tests/engine/test_waiting.py::test_a_listener_that_fails_does_not_keep_the_others_from_hearing",
    ),
    Fault(
        "signals: nobody is told that a channel is heard",
        "streamq/redis/signals.py",
        "        self._tell(self._listeners.get(channel, ()), None)",
        "",
        "tests/engine/test_waiting.py::test_a_finished_job_has_its_result_within_any_time",
    ),
    Fault(
        "signals: a cut record is passed on",
        "streamq/redis/signals.py",
        "if not start <= at <= len(bodies):",
        "if False:",
        "tests/engine/test_waiting.py::test_a_message_that_is_no_whole_signal_is_refused",
    ),
    Fault(
        "signals: payloads are sent along",
        "streamq/redis/lua/parts/signal_ended.lua",
        "if #body > 256 then body = without_payload(body) end",
        "",
        "tests/lua/test_settle.py::test_records_are_signalled_up_to_a_budget_and_the_ids_of_all",
    ),
    Fault(
        "signals: a message without a bound",
        "streamq/redis/lua/parts/signal_ended.lua",
        "if size + #body <= CARRIED then",
        "if true then",
        "tests/lua/test_settle.py::test_records_are_signalled_up_to_a_budget_and_the_ids_of_all",
    ),
    Fault(
        "signals: an earlier due time is not told",
        "streamq/redis/lua/parts/signal_due.lua",
        "redis.pcall(PUBLISH, keys.signals, 'due '",
        "redis.pcall('ECHO', 'due '",
        "tests/lua/test_settle.py::"
        "test_a_delayed_outcome_parks_the_job_under_its_own_id_and_wakes_the_scheduler",
    ),
    Fault(
        "signals: outcomes are not told",
        "streamq/redis/lua/settle.lua",
        "  signal_ended(news)\n",
        "",
        "tests/lua/test_settle.py::test_a_completed_job_leaves_its_stream_and_is_recorded_and_announced",
    ),
    Fault(
        "walk: the place itself is met again",
        "streamq/redis/lua/walk.lua",
        "passed(true)",
        "passed(false)",
        "tests/engine/test_walks.py::test_jobs_of_one_due_time_are_listed_once_while_some_are_promoted",
    ),
    Fault(
        "walk: equals are not ordered",
        "streamq/redis/lua/walk.lua",
        "if x ~= y then return x < y end",
        "",
        "tests/engine/test_walks.py::test_jobs_of_one_due_time_are_listed_once_while_some_are_promoted",
    ),
    Fault(
        "walk: the page before the place overlaps",
        "streamq/redis/lua/walk.lua",
        "redis.call('ZCARD', keys.set) or passed(false)",
        "redis.call('ZCARD', keys.set) or passed(true)",
        "tests/engine/test_walks.py::test_a_list_of_what_fails_meanwhile_shows_nothing_twice",
    ),
    Fault(
        "back: the place itself is met again",
        "streamq/redis/lua/back.lua",
        "from = at + 1",
        "from = at",
        "tests/engine/test_walks.py::test_a_list_of_what_fails_meanwhile_shows_nothing_twice",
    ),
    Fault(
        "back: one slice is searched",
        "streamq/redis/lua/back.lua",
        "later + 9000, 1000",
        "later, 1000",
        "tests/engine/test_walks.py::test_a_place_is_found_however_many_ended_since",
    ),
    Fault(
        "back: what came since is skipped",
        "streamq/redis/lua/back.lua",
        "return from + #slice - i end",
        "return from end",
        "tests/engine/test_walks.py::test_a_list_of_what_fails_meanwhile_shows_nothing_twice",
    ),
    Fault(
        "requeue: a retried job stays listed as failed",
        "streamq/redis/lua/parts/again.lua",
        "each('ZREM', keys.failures, ids)",
        "",
        "tests/engine/test_walks.py::test_a_walk_that_retries_all_that_failed_retries_all",
    ),
    Fault(
        "failed: all at the same moment",
        "streamq/redis/lua/parts/bury.lua",
        "math.max(now, tonumber(last[2] or now))",
        "0",
        "tests/engine/test_walks.py::test_a_list_of_what_fails_meanwhile_shows_nothing_twice",
    ),
    Fault(
        "adopt: a record is not looked at",
        "streamq/redis/lua/adopt.lua",
        "  if record and string",
        "  if false and string",
        "tests/engine/test_walks.py::test_failed_jobs_of_the_version_before_are_listed_counted_and_retried",
    ),
    Fault(
        "pages: who was taken is shown as waiting",
        "streamq/store/pages.py",
        'max(after or "0-0", await',
        'min(after or "9-0", await',
        "tests/engine/test_walks.py::test_a_page_of_waiting_jobs_has_none_that_a_worker_took_meanwhile",
    ),
    Fault(
        "prune: keys of the version before stay",
        "streamq/redis/lua/prune.lua",
        "redis.call('UNLINK', keys.events, keys.wake)",
        "",
        "tests/engine/test_retention.py::test_what_an_earlier_version_kept_for_its_signals_is_removed",
    ),
)

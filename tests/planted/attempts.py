"""Bugs in attempts: the runner, the judge, descriptions, histories, overdue handlers, settling and the worker's end."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "attempts: no last resort",
        "streamq/worker/runner.py",
        "except BaseException as fault:  # an attempt without an outcome",
        "except ImportError as fault:  # an attempt without an outcome",
        "tests/engine/test_attempts.py::"
        "test_when_the_outcome_itself_cannot_be_made_the_job_is_failed_in_plain_words",
    ),
    Fault(
        "attempts: a thread lets KeyboardInterrupt through",
        "streamq/worker/threads.py",
        "except BaseException as error:  # the loop judges it",
        "except Exception as error:  # the loop judges it",
        "tests/engine/test_attempts.py::"
        "test_whatever_a_handler_raises_its_attempt_fails_and_the_next_job_runs",
    ),
    Fault(
        "attempts: cancelled before it began",
        "streamq/worker/runner.py",
        "if not attempt.begun:  # its coroutine",
        "if False:  # its coroutine",
        "tests/engine/test_stopping.py::"
        "test_an_attempt_that_is_interrupted_before_its_first_step_is_given_back",
    ),
    Fault(
        "attempts: an interrupted handler's error is charged",
        "streamq/worker/runner.py",
        "elif attempt.interrupted:",
        "elif attempt.interrupted and issubclass(type(error), asyncio.CancelledError):",
        "tests/engine/test_stopping.py::"
        "test_at_a_stop_a_cancellation_that_surfaces_as_another_error_charges_nothing",
    ),
    Fault(
        "attempts: the limit counts from the delivery",
        "streamq/worker/time_limits.py",
        "if left > EARLY:  # its thread",
        "if False:  # its thread",
        "tests/engine/test_time_limits.py::test_a_limit_counts_from_the_beginning_in_a_thread",
    ),
    Fault(
        "attempts: a limit ends the first alone",
        "streamq/worker/time_limits.py",
        "self._loop.call_later(left, self._next, limit)",
        "pass",
        "tests/engine/test_time_limits.py::"
        "test_each_is_cancelled_at_its_own_time_and_one_that_has_ended_is_forgotten",
    ),
    Fault(
        "attempts: limits of their own share timers without bound",
        "streamq/worker/time_limits.py",
        "elif attempt.begun and len(self._lines) < LIMITS:",
        "elif attempt.begun:",
        "tests/engine/test_time_limits.py::"
        "test_where_each_job_brings_its_own_limit_the_lines_do_not_grow_without_bound",
    ),
    Fault(
        "attempts: a first step leaves its caller without itself",
        "streamq/worker/calls.py",
        "_enter_task(loop, current)",
        "pass",
        "tests/engine/test_first_steps.py::"
        "test_what_never_waits_has_ended_and_what_waits_is_the_same_task_after_it",
    ),
    Fault(
        "attempts: threads by the setting",
        "streamq/worker/runner.py",
        "Threads(self._loop, slots.count)",
        "Threads(self._loop, app.settings.concurrency)",
        "tests/engine/test_attempts.py::"
        "test_two_hundred_plain_handlers_of_a_worker_of_two_hundred_run_at_once",
    ),
    Fault(
        "judge: isinstance asks the error",
        "streamq/model/judge.py",
        'if isinstance(asked, float) and (issubclass(kind, Snooze) or scope != "job"):',
        'if isinstance(asked, float) and (isinstance(error, Snooze) or scope != "job"):',
        "tests/engine/test_attempts.py::"
        "test_whatever_a_handler_raises_its_attempt_fails_and_the_next_job_runs",
    ),
    Fault(
        "judge: any time of a verdict is taken",
        "streamq/model/judge.py",
        "and seconds <= LONGEST_WAIT:  # false for NaN",
        "or True:  # false for NaN",
        "tests/engine/test_attempts.py::"
        "test_whatever_a_handler_raises_its_attempt_fails_and_the_next_job_runs",
    ),
    Fault(
        "description: a text of its own class",
        "streamq/worker/description.py",
        "part = str.__getitem__(text, slice(-longest, None) if end else slice(longest))",
        "part = text[-longest:] if end else text[:longest]",
        "tests/engine/test_attempts.py::test_a_text_of_a_class_of_its_own_is_kept_as_plain_text",
    ),
    Fault(
        "description: a traceback is asked of the error",
        "streamq/worker/description.py",
        "    except BaseException:  # code of the handler's program\n        return _frames(error, name, message)",
        "    except RecursionError:  # code of the handler's program\n        return _frames(error, name, message)",
        "tests/engine/test_attempts.py::"
        "test_whatever_a_handler_raises_its_attempt_fails_and_the_next_job_runs",
    ),
    Fault(
        "history: no budget",
        "streamq/model/history.py",
        "        if room < 0:\n",
        "        if room < -(10**9):\n",
        "tests/engine/test_attempts.py::test_a_history_of_long_errors_drops_its_oldest_summaries_and_no_more",
    ),
    Fault(
        "history: every traceback is kept",
        "streamq/model/history.py",
        "        summary = _summary(entry)\n",
        "        summary = dict(entry)\n",
        "tests/engine/test_attempts.py::test_a_job_of_a_thousand_attempts_sends_headers_within_their_budget",
    ),
    Fault(
        "overdue: retries are not pushed out",
        "streamq/worker/overdue.py",
        "for o in handlers if o.retry_at is not None)",
        "for o in handlers if False)",
        "tests/engine/test_overdue.py::"
        "test_no_retry_starts_while_the_thread_runs_and_it_starts_when_that_has_returned",
    ),
    Fault(
        "overdue: retries keep the pushed time",
        "streamq/worker/overdue.py",
        "        if overdue.retry_at is not None:\n",
        "        if False:\n",
        "tests/engine/test_overdue.py::"
        "test_no_retry_starts_while_the_thread_runs_and_it_starts_when_that_has_returned",
    ),
    Fault(
        "overdue: the slot is freed at the limit",
        "streamq/worker/runner.py",
        "        self.overdue.add(attempt, retry_at)\n",
        "        self.overdue.add(attempt, retry_at)\n        self._slots.running.discard(attempt)\n",
        "tests/engine/test_overdue.py::"
        "test_a_plain_handler_past_its_limit_has_failed_its_attempt_and_keeps_its_slot",
    ),
    Fault(
        "unknown tasks: the time begins anew",
        "streamq/worker/outcomes.py",
        '"unknown_task_since": since,',
        '"unknown_task_since": now,',
        "tests/engine/test_unknown_tasks.py::"
        "test_when_no_worker_knows_the_task_for_long_enough_the_job_fails_with_the_reason",
    ),
    Fault(
        "unknown tasks: the count stays",
        "streamq/worker/outcomes.py",
        'if raw and "unknown_task_count" in delivery.headers:',
        "if False:",
        "tests/engine/test_unknown_tasks.py::"
        "test_in_a_rollout_of_nine_old_workers_and_one_new_no_job_of_a_new_task_fails",
    ),
    Fault(
        "settler: a refused queue is not blocked",
        "streamq/worker/settler.py",
        "(slots.blocked.discard if accepted else slots.blocked.add)(queue)",
        "slots.blocked.discard(queue)",
        "tests/engine/test_settling.py::"
        "test_while_the_outcomes_of_one_queue_are_refused_the_others_go_on_at_full_rate",
    ),
    Fault(
        "settler: a result too long is tried for ever",
        "streamq/worker/settler.py",
        "if lost >= LOST and await",
        "if False and await",
        "tests/engine/test_settling.py::"
        "test_a_result_above_the_limit_of_the_server_fails_its_job_and_no_other_waits_for_it",
    ),
    Fault(
        "settler: batches without a bound of bytes",
        "streamq/worker/settler.py",
        "BATCH_BYTES: Final = 1 << 20",
        "BATCH_BYTES: Final = 1 << 40",
        "tests/engine/test_settling.py::"
        "test_a_result_above_the_limit_of_the_server_fails_its_job_and_no_other_waits_for_it",
    ),
    Fault(
        "settler: a refusal is logged where there was none",
        "streamq/worker/settler.py",
        "if refused and not repeated:",
        "if not repeated:",
        "tests/engine/test_settling.py::test_a_refusal_is_told_where_there_was_one_and_nowhere_else",
    ),
    Fault(
        "settler: the refusal of a repeated outcome is taken for a loss",
        "streamq/worker/settler.py",
        "if refused and not repeated:",
        "if refused:",
        "tests/engine/test_settling.py::test_a_refusal_is_told_where_there_was_one_and_nowhere_else",
    ),
    Fault(
        "stopping: what the server holds is reclaimed",
        "streamq/worker/shutdown.py",
        "if pending := await store.delivery.pending_in(links, queue, name):",
        "if pending := []:",
        "tests/engine/test_stopping.py::"
        "test_at_a_stop_a_job_whose_outcome_cannot_be_written_is_given_back_uncharged",
    ),
    Fault(
        "stopping: not while it waits for the server",
        "streamq/worker/worker.py",
        "await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)",
        "await asyncio.wait([doing], return_when=asyncio.FIRST_COMPLETED)",
        "tests/engine/test_stopping.py::test_a_worker_whose_server_stands_still_at_its_start_heeds_a_stop",
    ),
    Fault(
        "retries: the type of an error is not asked along its bases",
        "streamq/model/retries.py",
        "for each in type.mro(kind):",
        "for each in (kind,):",
        "tests/engine/test_judge.py::"
        "test_the_nearest_type_of_an_error_that_is_named_decides_whether_it_is_retried",
    ),
    Fault(
        "retries: the time to give up begins with each attempt",
        "streamq/worker/outcomes.py",
        'headers.get("tried_since", began) if spent > 1 else began',
        "began",
        "tests/engine/test_retry_policy.py::"
        "test_retries_end_in_time_and_a_person_who_retries_begins_the_time_anew",
    ),
    Fault(
        "retries: the time to give up is never begun anew",
        "streamq/worker/outcomes.py",
        'headers.get("tried_since", began) if spent > 1 else began',
        'headers.get("tried_since", began)',
        "tests/engine/test_retry_policy.py::"
        "test_retries_end_in_time_and_a_person_who_retries_begins_the_time_anew",
    ),
    Fault(
        "versions: a newer payload is read by an older task",
        "streamq/task.py",
        'return headers.get("payload_version", 1) > self.version',
        "return False",
        "tests/engine/test_versions.py::"
        "test_in_a_rollout_a_job_of_a_newer_version_waits_uncharged_for_a_worker_that_knows_it",
    ),
)

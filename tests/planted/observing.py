"""Bugs in what tells people and other programs of jobs: tails, traces, files that run roles, names that are typed."""

from __future__ import annotations

from .fault import Fault

TAIL = "tests/engine/test_tail.py::"
OTEL = "tests/engine/test_otel.py::"
EXPORT = "tests/engine/test_export.py::"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "tail: what comes too fast is dropped without a word",
        "streamq/client/tailing.py",
        "            self._missed += 1\n",
        "            pass\n",
        TAIL + "test_who_reads_too_slowly_is_told_how_many_were_missed",
    ),
    Fault(
        "tail: a signal of another program is told with a traceback",
        "streamq/client/tailing.py",
        "        except ValueError as error:\n            log.warning",
        "        except KeyError as error:\n            log.warning",
        TAIL + "test_a_signal_of_another_program_ends_no_tail_and_is_told_in_a_line",
    ),
    Fault(
        "tail: ends of all states are told",
        "streamq/client/tailing.py",
        "if record is None or record[:1] in self._marks:",
        "if True:",
        TAIL + "test_queues_kinds_and_states_narrow_what_is_told",
    ),
    Fault(
        "tail: it waits for ever once its app is closed",
        "streamq/client/tailing.py",
        "                self._closed = True\n",
        "                pass\n",
        TAIL + "test_a_tail_ends_when_its_app_is_closed",
    ),
    Fault(
        "traces: a span has the text of an error",
        "streamq/otel.py",
        "    span.set_status(StatusCode.ERROR)",
        "    span.set_status(StatusCode.ERROR, str(error))",
        OTEL + "test_the_caller_the_enqueue_each_attempt_and_what_handlers_do_are_one_trace",
    ),
    Fault(
        "traces: an attempt begins a trace of its own",
        "streamq/otel.py",
        '_CONTEXT.extract({"traceparent": parent} if parent else {})',
        "_CONTEXT.extract({})",
        OTEL + "test_the_caller_the_enqueue_each_attempt_and_what_handlers_do_are_one_trace",
    ),
    Fault(
        "traces: a retry is an error",
        "streamq/otel.py",
        "if isinstance(error, Verdict) and not isinstance(error, Fail):",
        "if False:",
        OTEL + "test_a_verdict_is_no_error_but_fail_is_and_a_traceback_begins_in_the_handler",
    ),
    Fault(
        "export: secrets are written as settings",
        "streamq/cli/roles_to_run.py",
        "            if setting in hidden:\n",
        '            if setting in hidden and setting == "redis_url":\n',
        EXPORT + "test_compose_reads_its_file_and_roles_have_settings_commands_and_secrets_that_there_are",
    ),
    Fault(
        "export: a percent sign of a setting is one of systemd's",
        "streamq/cli/run_files.py",
        '(("\\\\", "\\\\\\\\"), (\'"\', \'\\\\"\'), ("%", "%%")',
        '(("\\\\", "\\\\\\\\"), (\'"\', \'\\\\"\'), ("%", "%")',
        EXPORT + "test_units_have_the_settings_and_read_secrets_from_credentials",
    ),
    Fault(
        "names: a task that nobody knows is taken without a word",
        "streamq/cli/names.py",
        "if task and known and task not in known:",
        "if False:",
        "tests/engine/test_typed_names.py::test_the_nearest_task_and_shared_limit_are_told_and_both_may_be_new",
    ),
)

"""Bugs of values, options and declarations."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "what would arrive as something else is accepted",
        "streamq/model/values.py",
        "        if not _equal(value, back):\n            differences = list(",
        "        if False:\n            differences = list(",
        "tests/engine/test_values.py::"
        "test_what_would_arrive_as_something_else_is_refused_with_the_place_and_the_reason",
    ),
    Fault(
        "instances of subclasses are not noticed",
        "streamq/model/values.py",
        "return any(cls.__subclasses__() for cls in self._classes)",
        "return False",
        "tests/engine/test_values.py::"
        "test_what_would_arrive_as_something_else_is_refused_with_the_place_and_the_reason",
    ),
    Fault(
        "null for NaN is not noticed",
        "streamq/model/values.py",
        'self._floats and b"null" in raw',
        "False",
        "tests/engine/test_values.py::"
        "test_what_would_arrive_as_something_else_is_refused_with_the_place_and_the_reason",
    ),
    Fault(
        "computed fields are written",
        "streamq/model/values.py",
        "round_trip=True, ",
        "",
        "tests/engine/test_values.py::test_a_model_arrives_as_it_was_whatever_its_aliases_and_options_are",
    ),
    Fault(
        "secrets may be declared",
        "streamq/model/shapes.py",
        "if _masks(_writer(node)):",
        "if False:",
        "tests/engine/test_values.py::test_a_type_that_cannot_arrive_is_refused_where_the_task_is_declared",
    ),
    Fault(
        "excluded fields may be declared",
        "streamq/model/shapes.py",
        'if node.get("serialization_exclude"):',
        "if False:",
        "tests/engine/test_values.py::test_a_type_that_cannot_arrive_is_refused_where_the_task_is_declared",
    ),
    Fault(
        "long numbers of untyped payloads are read as floats",
        "streamq/model/values.py",
        "return from_json(raw)",
        "return _loads(raw)",
        "tests/engine/test_values.py::"
        "test_an_untyped_payload_arrives_as_it_was_whole_numbers_above_64_bits_too",
    ),
    Fault(
        "each untyped payload keeps its buffer",
        "streamq/model/codec.py",
        'return b"%b" % orjson.dumps(value, option=_STRICT)',
        "return orjson.dumps(value, option=_STRICT)",
        "tests/engine/test_payloads.py::test_half_a_million_payloads_take_what_they_are_long",
    ),
    Fault(
        "an infinite duration is one",
        "streamq/durations.py",
        "if not (math.isfinite(seconds) and seconds >= 0):",
        "if not seconds >= 0:",
        "tests/engine/test_options.py::test_whatever_is_written_is_a_finite_time_or_one_sentence",
    ),
    Fault(
        "a lone surrogate names a task",
        "streamq/options.py",
        '"" if fits and _encodable(value) else',
        '"" if fits else',
        "tests/engine/test_options.py::test_what_cannot_name_a_task_is_refused_at_the_door",
    ),
    Fault(
        "a coroutine that is handed on is not awaited",
        "streamq/worker/runner.py",
        "waits = error is None and isawaitable(result)",
        "waits = False",
        "tests/engine/test_handlers.py::test_whatever_can_be_called_with_a_payload_runs_to_its_end",
    ),
    Fault(
        "generators may be handlers",
        "streamq/handlers.py",
        "if inspect.isgeneratorfunction(called) or",
        "if False and",
        "tests/engine/test_handlers.py::test_what_cannot_run_is_refused_where_it_is_declared",
    ),
    Fault(
        "results have no limit",
        "streamq/task.py",
        "limit = self._client.settings.max_result",
        "limit = 10**9",
        "tests/engine/test_result_types.py::test_a_result_over_the_limit_fails_the_job_with_both_sizes",
    ),
    Fault(
        "results are read without their type",
        "streamq/task.py",
        'return self._result.read(raw or b"null")',
        'return codec.exact(raw or b"null")',
        "tests/engine/test_result_types.py::test_a_result_of_a_declared_type_comes_back_as_it_was",
    ),
    Fault(
        "HTTP rounds long numbers",
        "service/http/requests.py",
        "if _LONG in body.translate(_AS_ZERO):",
        "if False:",
        "tests/service/test_values.py::"
        "test_the_public_form_with_aliases_is_taken_over_http_and_the_command_line",
    ),
    Fault(
        "masked values are in the result that others see",
        "streamq/model/job_reader.py",
        '() if whole else headers.get("masked_result", ())',
        "()",
        "tests/engine/test_masked.py::"
        "test_the_handler_and_the_caller_get_the_values_and_every_view_masks_them",
    ),
    Fault(
        "masked values are in the traceback of the log",
        "streamq/worker/attempt_lines.py",
        "line.error and hidden(line.error, hide)",
        "line.error",
        "tests/engine/test_masked.py::"
        "test_an_error_that_quotes_a_masked_value_is_stored_and_logged_without_it",
    ),
    Fault(
        "masked values are quoted where a payload does not fit",
        "streamq/model/masked.py",
        "return code not in _TELLS_NO_VALUE and",
        "return False and",
        "tests/engine/test_masked.py::test_a_payload_that_does_not_fit_is_refused_without_its_masked_values",
    ),
)

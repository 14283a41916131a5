"""The bugs: what stands in the code, what is planted in its place, and which tests must notice."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str


VALUES: tuple[Fault, ...] = (
    Fault(
        "what would arrive as something else is accepted", "streamq/values.py",
        "        if not _equal(value, back):\n            told = list(", "        if False:\n            told = list(",
        "tests/engine/test_values.py",
    ),
    Fault(
        "instances of subclasses are not noticed", "streamq/values.py",
        "return any(cls.__subclasses__() for cls in self._classes)", "return False", "tests/engine/test_values.py",
    ),
    Fault(
        "null for NaN is not noticed", "streamq/values.py", "self._floats and b\"null\" in raw", "False",
        "tests/engine/test_values.py",
    ),
    Fault(
        "computed fields are written", "streamq/values.py", "round_trip=True, ", "", "tests/engine/test_values.py",
    ),
    Fault(
        "secrets may be declared", "streamq/shapes.py", "if _masks(_writer(node)):", "if False:",
        "tests/engine/test_values.py",
    ),
    Fault(
        "excluded fields may be declared", "streamq/shapes.py", "if node.get(\"serialization_exclude\"):", "if False:",
        "tests/engine/test_values.py",
    ),
    Fault(
        "long numbers of untyped payloads are read as floats", "streamq/values.py", "return from_json(raw)",
        "return _loads(raw)", "tests/engine/test_values.py",
    ),
    Fault(
        "each untyped payload keeps its buffer", "streamq/codec.py",
        "return b\"%b\" % orjson.dumps(value, option=_STRICT)", "return orjson.dumps(value, option=_STRICT)",
        "tests/engine/test_values.py",
    ),
    Fault(
        "an infinite time limit is sent", "streamq/options.py", "_number(value) and 0 < value <= LONGEST_WAIT",
        "_number(value) and value > 0", "tests/engine/test_options.py",
    ),
    Fault(
        "a lone surrogate names a task", "streamq/options.py", "\"\" if fits and _encodable(value) else",
        "\"\" if fits else", "tests/engine/test_options.py",
    ),
    Fault(
        "a coroutine that is handed on is not awaited", "streamq/worker/runner.py", "if isawaitable(result):",
        "if False:",
        "tests/engine/test_handlers.py",
    ),
    Fault(
        "generators may be handlers", "streamq/handlers.py",
        "if inspect.isgeneratorfunction(called) or", "if False and",
        "tests/engine/test_handlers.py",
    ),
    Fault(
        "results have no limit", "streamq/task.py", "limit = self.app.settings.max_result", "limit = 10**9",
        "tests/engine/test_result_types.py",
    ),
    Fault(
        "results are read without their type", "streamq/task.py", "return self._result.read(raw or b\"null\")",
        "return codec.exact(raw or b\"null\")", "tests/engine/test_result_types.py",
    ),
    Fault(
        "HTTP rounds long numbers", "service/requests.py", "from_json(body) if _LONG.search(body) else value", "value",
        "tests/service/test_values.py",
    ),
)  # fmt: skip
"""What arrives as something else, and what is accepted that cannot run."""

LOOPS = "tests/engine/test_loops.py"
FORKS = "tests/engine/test_forks.py"
SYNC = "tests/engine/test_sync.py"
ROLES = "tests/engine/test_roles.py"
EMBEDDED = "tests/test_embedded_data.py"

LIFE: tuple[Fault, ...] = (
    Fault(
        "a forked child goes on with its parent's connections", "streamq/opening.py",
        "os.register_at_fork(after_in_child=_begin_anew)", "", FORKS,
    ),
    Fault(
        "a forked child waits for its parent's background thread", "streamq/sync.py",
        "os.register_at_fork(after_in_child=_begin_anew)", "", FORKS,
    ),
    Fault(
        "who opens second does not wait for who opens first", "streamq/opening.py",
        "async with seat.first:\n                if loop not in self._open:",
        "if seat.blocks == 1:\n                if loop not in self._open:", LOOPS,
    ),
    Fault(
        "an open that failed is never left", "streamq/opening.py",
        "await self.leave()\n            raise", "raise", LOOPS,
    ),
    Fault(
        "the loops of an app share what is open", "streamq/opening.py",
        "return self._open[asyncio.get_running_loop()]", "return next(iter(self._open.values()))", LOOPS,
    ),
    Fault(
        "a loop that ended keeps its place", "streamq/opening.py",
        "if loop.is_closed():", "if False:", LOOPS,
    ),
    Fault(
        "app.sync blocks the event loop it is called in", "streamq/sync.py",
        "if running_loop() is not None:", "if False:", SYNC,
    ),
    Fault(
        "app.sync starts a loop for each call", "streamq/sync.py",
        "if _the_background is None:", "if True:", SYNC,
    ),
    Fault(
        "a role throws the arguments of App away", "streamq/app.py",
        "kind.load(**{**given, ", "kind.load(**{", "tests/engine/test_settings.py",
    ),
    Fault(
        "click reads the environment again", "streamq/cli/options.py",
        "    def resolve_envvar_value(", "    def resolve_nothing(", ROLES,
    ),
    Fault(
        "workers are not told what was typed", "streamq/cli/roles.py",
        "options = codec.loads(supervised)", "pass", ROLES,
    ),
    Fault(
        "SIGHUP kills a worker", "streamq/runtime.py",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)", "(signal.SIGTERM, signal.SIGINT)", ROLES,
    ),
    Fault(
        "nohup is not heeded", "streamq/runtime.py",
        "if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:", "if True:",
        f"{ROLES}::test_a_role_that_was_started_with_nohup_outlives_its_terminal",
    ),
    Fault(
        "SIGHUP leaves the embedded server behind", "service/signals.py",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)", "(signal.SIGTERM, signal.SIGINT)",
        f"{ROLES}::test_up_takes_its_server_along_at_sighup",
    ),
    Fault(
        "the keeper does not end a rewriting child", "streamq/server.py",
        "await self._end_holders()  # a rewriting child may have outlived it", "", EMBEDDED,
    ),
    Fault(
        "the keeper ends with an error that it did not expect", "streamq/server.py",
        "except Exception as error:  # whatever it is", "except ConfigurationError as error:  # whatever it is",
        EMBEDDED,
    ),
    Fault(
        "only the server itself is ended, not its children", "streamq/server.py",
        "os.killpg(", "os.kill(", EMBEDDED,
    ),
    Fault(
        "the folder forgets its writer", "streamq/server.py",
        "if self._persist and not self.joined:", "if False:", EMBEDDED,
    ),
    Fault(
        "an unknown setting is ignored", "streamq/settings.py",
        'refuse_unknown("setting", values, type(self).model_fields)', "pass", "tests/engine/test_settings.py",
    ),
    Fault(
        "a misspelt option is ignored", "streamq/sending.py",
        "raise UsageError(f\"{name!r} is not an argument", "print(f\"{name!r} is not an argument",
        "tests/engine/test_arguments.py",
    ),
)  # fmt: skip
"""Who shares what is open, who ends when, whose settings count."""

FAULTS: tuple[Fault, ...] = (*VALUES, *LIFE)

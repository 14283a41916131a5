"""Bugs of who shares what is open, who ends when, and whose settings count."""

from __future__ import annotations

from .fault import Fault

LOOPS = "tests/engine/test_loops.py"
FORKS = "tests/engine/test_forks.py"
SYNC = "tests/engine/test_sync.py"
ROLES = "tests/engine/test_roles.py"
EMBEDDED = "tests/test_embedded_data.py"

FAULTS: tuple[Fault, ...] = (
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

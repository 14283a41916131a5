"""What a handler may know of its attempt, and what it may tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.model.clock import from_ms
from streamq.model.headers import Headers
from streamq.model.reports import LEVELS, line_text, progress_text
from streamq.model.shown import as_given
from streamq.options import line
from streamq.program import Program
from streamq.terms import moment
from streamq.verdicts import Scope

Level = Literal["debug", "info", "warning", "error", "critical"]


class Report(Protocol):
    """Takes a progress, or a line of the log, from any thread."""

    def __call__(self, text: bytes, *, is_line: bool) -> object: ...


class _Turn:
    """What ``progress`` returns: to await it lets the loop do what else is to be done."""

    __slots__ = ()

    def __await__(self) -> Generator[None]:
        yield


_TURN: Final = _Turn()


def dropped(text: bytes, *, is_line: bool) -> None:
    """Nobody takes reports."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may know of its attempt: give it a parameter annotated ``Context``."""

    app: Program
    queue: str
    task: str
    job_id: str
    attempt: int
    """This attempt's number, from 1."""
    attempts: int
    """How many the job may spend."""
    worker: str
    _stopping: Callable[[], bool]
    schedule: str | None = None
    """The name of the schedule that enqueued the job, if one did."""
    planned_at: datetime | None = None
    """The planned time of that run: the same on every attempt, and however late it is."""
    _cancelled: Callable[[], bool] = lambda: False
    _report: Report = dropped
    group: str | None = None
    """The group of the job, if it has one."""
    _pause: Callable[[Scope, str, str], Awaitable[None]] | None = None
    _waited: Callable[[], float] = lambda: 0.0
    _age: Callable[[], float] = lambda: 0.0

    def pause_group(
        self,
        until: Duration | datetime,
        reason: str = "",
        *,
        scope: Literal["group", "tenant", "shared"] = "group",
    ) -> Awaitable[None]:
        """Start no other job of this job's group before: ``await ctx.pause_group(30, "the provider said 429")``.

        ``until`` is a duration from now or an aware time; ``scope="tenant"`` means the first level of the group,
        and ``scope="shared"`` all that draws from the shared limits from which this job draws. What
        runs goes on, this job too: it returns or raises as it likes. (``raise Retry(after=30, scope="group")`` does
        both in one.) A pause that lasts longer stays as it is. In a plain handler, which runs in a thread, the call is
        the same without ``await``, and returns when it is written. Raises ``UsageError`` where it has no group, and
        for what is no time; awaited, ``Unavailable``.
        """
        if scope not in ("group", "tenant", "shared"):
            raise UsageError(f"scope={as_given(scope)} is not possible: use group, tenant or shared")
        if self._pause is None or (self.group is None and scope != "shared"):
            raise UsageError("this job has no group that could be paused: enqueue it with group=…")
        return self._pause(scope, moment("until", until), line("reason", reason))

    def progress(self, value: float | None = None, note: str = "", *, data: Any = None) -> _Turn:
        """Tell how far the job is: ``await ctx.progress(0.4, "half way", data={"rows": 412})``.

        ``value`` is the part that is done, 0 to 1, or ``None`` where nobody can tell; ``data`` is any JSON of up to
        4,096 bytes. Of a ``note`` the first 500 characters are kept. The last progress counts; it may be told as often
        as one likes, and is written 20 times a second at most. In a plain handler, which runs in a thread, the call
        is the same without ``await``. Raises ``InvalidProgress``.
        """
        self._report(progress_text(value, note, data), is_line=False)
        return _TURN

    def log(self, text: str, level: Level = "info") -> None:
        """Add a line to the log of the job: people see it with ``streamq job logs``, and who watches the job at once.

        Of a line the first 4,000 characters are kept, and of a job the last 64 KiB of lines. From any thread.
        Raises ``UsageError`` for a level that is none.
        """
        if level not in LEVELS:
            raise UsageError(f"{as_given(level)} is no level: use one of {', '.join(LEVELS)}")
        self._report(line_text(level, str(text)), is_line=True)

    @property
    def shutting_down(self) -> bool:
        """Whether the worker was told to stop: a long handler does well to end or to ``raise Retry``."""
        return self._stopping()

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled the job, or its time limit is over: what the handler still does is dropped.

        An async handler is cancelled as well; one in a thread can only look here from time to time, and return.
        """
        return self._cancelled()

    @property
    def waited(self) -> float:
        """For how many seconds the job could have run before this attempt began, by the clock of the server."""
        return self._waited()

    @property
    def age(self) -> float:
        """How many seconds before this attempt began the job was made, by the clock of the server."""
        return self._age()

    @property
    def idempotency_key(self) -> str:
        """A key for outside effects, the same on every attempt of this job."""
        return f"{self.queue}:{self.job_id}"


def of_schedule(headers: Headers) -> dict[str, Any]:
    """What the headers of a job say of the schedule that enqueued it, as ``Context`` takes it."""
    if "planned" not in headers:
        return {}
    try:
        planned_at = from_ms(headers["planned"])
    except (ValueError, OverflowError, OSError):  # another program wrote it
        return {}
    return {"schedule": headers.get("schedule"), "planned_at": planned_at}

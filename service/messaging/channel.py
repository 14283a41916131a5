"""A channel: one way in which messages go out. What there is of it is said in one place, and everything derives from
that: its tasks, what a worker opens and closes for it, its line in the log, its limits, how it is shown and counted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel

from streamq import App, Context, Fail, Job, Limit, Snooze, State

from ..settings import ServiceSettings
from . import outcomes, shown
from .figures import FIGURES, Figures, figures_of
from .opt_outs import Withheld
from .outgoing import Unknown

Enqueue = Callable[..., Awaitable[Job[Any]]]
"""As ``App.enqueue`` without its queue: task, payload and options."""
_NOT_IN_A_GROUP: Final = ' :"\\%*'
"""Signs that no group has, or that would make two ids one."""
_FOLDED: Final = re.compile(r"(?:^|/)\.{1,2}(?=/|$)")
"""A part between slashes that is dots alone: paths with it lead elsewhere, so no group has it."""
_LONGEST: Final = 60
"""Characters of a level: two of them fit into a group."""


@dataclass(frozen=True)
class Channel:
    """What a channel declares."""

    name: str
    """As people call it; its limit over all workers is the shared limit of this name."""
    tasks: dict[str, str]
    """The queue of each of its tasks: that of messages to send at once, and where it has two, of those with a time."""
    handler: Callable[..., Awaitable[Any]]
    """What sends a message of it."""
    options: Callable[[ServiceSettings], dict[str, Any]]
    """Those of its tasks: attempts, backoff, time limit."""
    opened: Callable[[App, ServiceSettings], AbstractAsyncContextManager[None]]
    """What its tasks need in a worker; it is closed when the running jobs have ended."""
    limit: Callable[[ServiceSettings], Limit]
    """How many of its messages are sent at once, and in a time, by all workers together."""

    @property
    def queues(self) -> list[str]:
        """Their names."""
        return list(self.tasks.values())

    def is_of(self, app: App) -> bool:
        """Whether an app has it."""
        return self.tasks.keys() <= app.tasks.keys()

    def declare(self, app: App, settings: ServiceSettings) -> None:
        """Add it to an app."""
        handler = self._counting()
        for name, queue in self.tasks.items():
            app.task(name=name, queue=queue, **self.options(settings))(handler)
        limit = self.limit(settings)
        if limit != Limit():
            app.limit_shared(self.name, limit)
        for queue in self.queues:
            app.limit(queue, Limit(shared=self.name) if limit != Limit() else None, **_of_groups(settings))

    def _counting(self) -> Callable[..., Awaitable[Any]]:
        """The handler, with what its messages come to counted: of all channels in the same way."""
        handler, channel, at_once = self.handler, self.name, next(iter(self.tasks))

        @functools.wraps(handler)
        async def counted(message: Any, ctx: Context) -> Any:
            figures: Figures = ctx.app.state[FIGURES]
            whose, started = (channel, message.workspace_id), monotonic()
            end = status = "sent"
            # A job born waiting is held while others of its workspace take their turns: that counts too.
            is_first = ctx.task == at_once and ctx.attempt == 1
            figures.time(*whose, "queue", ctx.age if is_first else ctx.waited)
            try:
                with shown.kept_private(message, shown=outcomes.shows_all(ctx)):
                    return await _quietly(handler(message, ctx))
            except BaseException as error:
                end = _end_of(error, ctx)
                status = end or ("waits" if isinstance(error, Snooze) else "interrupted")
                raise
            finally:
                took = monotonic() - started
                outcomes.tell(channel, message, status, took, ctx)
                if end:
                    figures.count(*whose, end)
                    figures.time(*whose, "send", took)

        return counted

    def way(self, delay: float | None, at: datetime | None) -> tuple[str, str, State]:
        """The task and the queue of a message with that delay or time, and its state there; a delay of 0 is none."""
        now, *later = self.tasks
        is_later = bool(delay) or at is not None
        task = later[0] if later and is_later else now
        return task, self.tasks[task], State.DELAYED if is_later else State.WAITING

    async def send(
        self,
        app: App,
        message: BaseModel,
        *,
        delay: float | None = None,
        at: datetime | None = None,
        enqueue: Enqueue | None = None,
        **more: Any,
    ) -> tuple[Job[Any], State]:
        """Enqueue a message on the queue for it, by ``App.enqueue`` or as given; return the job, and its state there.

        It is of the group of its workspace and contact where ``more``, options of enqueue, name no other one. Raises
        what ``App.enqueue`` does.
        """
        task, queue, state = self.way(delay, at)
        more = {"group": group_of(message), **more}
        more |= {"delay": delay} if delay else {"at": at} if at is not None else {}
        job = await (enqueue or functools.partial(app.enqueue, queue))(task, message, **more)
        if job.disposition == "created":
            figures_of(app).count(self.name, message.workspace_id, "accepted")  # type: ignore[attr-defined]  # of all
        return job, state

    def line(self, settings: ServiceSettings) -> str:
        """What is to be known of it when a worker starts."""
        limit = self.limit(settings)
        most = f"{limit.concurrency} at once" if limit.concurrency else "any number at once"
        rate = f"{limit.rate} at most" if limit.rate else "no rate"
        return f"channel {self.name}: {most}, {rate}, queues {', '.join(self.queues)}"


async def _quietly(sending: Awaitable[Any]) -> Any:
    """What a handler returns; what it raises shows nothing of the message."""
    try:
        return await sending
    except Exception as error:
        told = shown.quiet(error)
        if told is error:
            raise
    raise told from None


def group_of(message: Any) -> str:
    """That of a message's workspace and contact, whatever their ids: none escapes its limits by its spelling."""
    levels = [message.workspace_id] + ([message.contact_id] if message.contact_id is not None else [])
    return ":".join(map(_level, levels))


def _level(of: object) -> str:
    """An id as a level of a group: as it is where it may be, else percent-encoded (RFC 3986, 2.1), and where that is
    long its begin with a digest. Different ids have different ones."""
    text = _FOLDED.sub(lambda dots: dots[0].replace(".", "%2E"), "".join(map(_sign, str(of))))
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 33]}%{sha256(text.encode()).hexdigest()[:32]}"


def _sign(sign: str) -> str:
    return (
        sign
        if sign.isprintable() and sign not in _NOT_IN_A_GROUP
        else quote(sign, "", "utf-8", "surrogatepass")
    )


def _of_groups(settings: ServiceSettings) -> dict[str, Limit | None]:
    """What holds for each workspace, and for each of its contacts."""
    said = {
        "groups": Limit(concurrency=settings.workspace_concurrency, rate=settings.workspace_rate),
        "parts": Limit(concurrency=settings.contact_concurrency, rate=settings.contact_rate),
    }
    return {name: limit if limit != Limit() else None for name, limit in said.items()}


def _end_of(error: BaseException, ctx: Context) -> str:
    """As what an attempt that ended so is counted; nothing for one that was given back, or waits unspent."""
    match error:
        case Unknown():
            return "unknown"
        case Withheld():
            return "withheld"
        case Fail():
            return "failed"
        case Snooze():
            return ""
        case Exception():
            return "failed" if ctx.attempt >= ctx.attempts else "retried"
    return ""

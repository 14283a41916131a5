"""Shared limits: what several queues may run and start together, such as the 100 a second of one provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streamq.acting import actor
from streamq.audited import note
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.group import UNSAID, end_of
from streamq.model.limit import Limit, Rate, Unlimited, checked
from streamq.model.names import NAME_FORM, is_name
from streamq.model.shared_status import SharedStatus
from streamq.model.shown import as_given
from streamq.noun_errors import InvalidLimit
from streamq.options import line


class SharedLimit:
    """Made by ``app.shared("provider")``. Queues and tasks draw from it whose ``Limit(shared="provider")`` says so.

    A job draws as many of its units as its option ``units`` says, 1 by default: while it runs, of the concurrency, and
    when it starts, of the rate. Every method raises ``Unavailable`` when the server cannot be reached.
    """

    def __init__(self, name: str, client: Client) -> None:
        if not is_name(name):
            raise InvalidLimit("shared", f"{as_given(name)} cannot name a shared limit: {NAME_FORM}")
        self.name, self._client = name, client

    def __repr__(self) -> str:
        return f"<SharedLimit {self.name!r}>"

    async def limit(
        self, *, concurrency: int | Unlimited | None = UNSAID,
        rate: Rate | Unlimited | str | tuple[int, Duration] | None = UNSAID,
    ) -> Limit:  # fmt: skip
        """Say how many units may be held by jobs that run, and be started in a time, from now on.

        What is left out stays; ``None`` goes back to what code says, and ``"unlimited"`` lifts that. Of a rate, queues
        get leases that last a tenth of its window, a second at most: so it is never exceeded, and at least nine tenths
        of it can be used. Returns what is told then. Raises ``InvalidLimit``.
        """
        given = {"concurrency": concurrency, "rate": rate}
        parts = {name: checked(name, value) for name, value in given.items() if value is not UNSAID}
        if not parts:
            raise InvalidLimit("limit", f"say what is limited: {', '.join(given)}")
        told = await self._client.store.shared_limits.limit(self.name, parts)
        await self._note("limit", **{name: "none" if v is None else str(v) for name, v in parts.items()})
        return told.told

    async def unlimit(self) -> bool:
        """Take back all that was told of it, and its pause. Returns whether there was anything."""
        await self.resume()
        removed = await self._client.store.shared_limits.remove(self.name)
        if removed:
            await self._note("unlimit")
        return removed

    async def pause(
        self, reason: str = "", *, until: Duration | datetime | None = None, by: str = ""
    ) -> None:
        """Start no job that draws from it, in any queue; what runs goes on.

        ``until`` ends the pause by itself: a duration from now or an aware time to come. Raises ``UsageError``.
        """
        said = line("reason", reason), line("by", by) or actor()
        await self._client.store.shared_limits.pause(self.name, *said, end_of(until))
        await self._note("pause", by, reason=reason, until=None if until is None else str(until))

    async def resume(self) -> bool:
        """End its pause. Returns whether there was one."""
        was_paused = await self._client.store.shared_limits.pause(self.name, "", "", "now")
        if was_paused:
            await self._note("resume")
        return was_paused

    async def status(self) -> SharedStatus:
        """What it allows, how much of that is drawn, by which queues, and whether it is paused."""
        return await self._client.store.shared_limits.status(self.name)

    async def _note(self, action: str, by: str = "", **details: Any) -> None:
        await note(self._client, "", f"shared.{action}", self.name, by, is_gone=True, **details)

"""Reports: what providers tell of messages that they took, and what contacts send to us; and what people settle."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal

from streamq import App, JobNotFound, WrongState

from ..clock import now
from .delivery import Deliveries, Delivery, DeliveryState, better, id_of, told_of
from .figures import figures_of
from .formats.form import Heard, Report
from .opt_outs import ALL, OptOuts, address

log = logging.getLogger("streamq.messaging")

Settled = Literal["sent", "failed", "resend"]
"""What a person says of an unknown message."""
Taken = Literal["noted", "known", "kept"]
"""Of a report: it says something new; or nothing new; or the message that it tells of is not known yet."""


class Reports:
    """Those of an app. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, app: App) -> None:
        self._app, self._opt_outs = app, OptOuts(app)
        self.deliveries = Deliveries(app, reports=True)

    async def take(self, channel: str, provider: str, report: Report) -> Taken:
        """Note what a provider tells. The same report again, and one that comes late, change nothing."""
        key = report.key or await self._key_of(provider, report)
        if key is None:
            return "kept"
        before: list[Delivery] = []

        def change(known: Delivery | None) -> Delivery | None:
            if known is None or known.channel != channel:
                return None
            before[:] = [known]
            told = told_of(known, report.state, report.reason)
            return better(known, replace(told, provider_id=report.provider_id or known.provider_id))

        moved = await self.deliveries.move(key, change)
        if moved is None or moved.state is before[0].state:
            return "known"
        self._count(moved)
        if await self.deliveries.known(key) and moved.state is not DeliveryState.FAILED:
            await self._run_again(key)
        return "noted"

    async def _key_of(self, provider: str, report: Report) -> str | None:
        name = id_of(provider, report.provider_id or "")
        return await self.deliveries.key_of(name, report.state, report.reason)

    def _count(self, moved: Delivery) -> None:
        figures = figures_of(self._app)
        if moved.state is DeliveryState.DELIVERED:
            figures.count(moved.channel, moved.workspace, "delivered")
            figures.of_provider(moved.channel, moved.provider, "delivered")
            figures.time(moved.channel, moved.workspace, "delivery", now().timestamp() - moved.at)
        elif moved.state is DeliveryState.FAILED:
            figures.count(moved.channel, moved.workspace, "failed")
            figures.of_provider(moved.channel, moved.provider, "failed")

    async def hear(self, channel: str, heard: Heard) -> Literal["stop", "start", None]:
        """Obey a word such as STOP in a message of a contact."""
        workspace = ALL if heard.workspace is None else heard.workspace
        return await self._opt_outs.heard([address(channel, heard.sender)], heard.text, workspace)

    async def settle(self, key: str, how: Settled) -> Delivery | None:
        """Settle an unknown message as a person says. Returns what is known then; None where it is not unknown.

        One that was sent ends as completed; one that is to be sent again waits again. Raises ``JobNotFound`` and
        ``WrongState`` where that is impossible, as its job is gone: then it stays unknown.
        """
        known = await self.deliveries.get(key)
        if not await self.deliveries.known(key):
            return None
        if how == "resend":
            return await self._resend(key, known)
        state = DeliveryState.SENT if how == "sent" else DeliveryState.FAILED
        moved = await self.deliveries.move(
            key, lambda known: None if known is None else better(known, told_of(known, state, "settled"))
        )
        if how == "sent":
            await self._run_again(key)
        return moved or known

    async def _resend(self, key: str, known: Delivery | None) -> Delivery | None:
        queue, _, job_id = key.partition(":")
        await self.deliveries.forget(key)
        try:
            await self._app.queue(queue).retry(job_id)
        except (JobNotFound, WrongState):
            if known is not None:
                await self.deliveries.hold(key, known)
            raise
        return replace(known, state=DeliveryState.SENDING) if known is not None else None

    async def _run_again(self, key: str) -> None:
        """The job finds by what is known that there is nothing to send."""
        queue, _, job_id = key.partition(":")
        try:
            await self._app.queue(queue).retry(job_id)
        except (JobNotFound, WrongState) as error:
            log.info("the job of message %s is not run again: %s", key, error)

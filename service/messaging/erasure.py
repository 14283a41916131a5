"""Erasing a contact: its jobs in all queues of messages, and what is remembered of it beside these."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Final

from streamq import App, JobNotFound, JobRecord, Queue, State, WrongState

from ..json_text import encoded
from .ai import AI, KEPT, digest
from .allowed import COUNTS
from .channel import Channel
from .opt_outs import address

PATIENCE: Final = 10.0
"""Seconds that one queue may take: what is left is erased by asking again."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to erase: a contact of a workspace, an address or number, or both."""

    workspace: str | None = None
    """As text: its id may be that, or a number."""
    contact_id: str | None = None
    address: str | None = None
    """As messages have it; that of e-mail in any case."""

    @property
    def filter(self) -> str:
        """The filter that means its jobs, and perhaps some others: see ``means``."""
        terms = []
        if self.contact_id is not None:
            terms.append(f"payload.contact_id={_quoted(self.contact_id)}")
        if self.address is not None:
            terms.append(f"payload.to~{_quoted(self.address)}")
        return " or ".join(terms)

    def means(self, job: JobRecord) -> bool:
        """Whether a job is of it."""
        payload = job.payload if isinstance(job.payload, dict) else {}
        to = payload.get("to")
        addresses = to if isinstance(to, list) else [to]
        is_its = (
            payload.get("contact_id") == self.contact_id
            and str(payload.get("workspace_id")) == self.workspace
        )
        return (self.contact_id is not None and is_its) or (
            self.address is not None
            and self.address.casefold() in [str(each).casefold() for each in addresses]
        )


def _quoted(value: str) -> str:
    return encoded(value).decode()


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased. ``left`` says that jobs may be left: ask again."""

    jobs: int
    records: int
    left: bool


async def erase(app: App, channels: tuple[Channel, ...], contact: Contact) -> Erased:
    """Erase a contact. Raises ``Unavailable``, and what a filter raises that is too long."""
    queues = [
        (channel, app.queue(name)) for channel in channels if channel.is_of(app) for name in channel.queues
    ]
    found = await asyncio.gather(*[_of_queue(app, channel, queue, contact) for channel, queue in queues])
    records = await _records_of(app, contact) + sum(each.records for each in found)
    return Erased(sum(each.jobs for each in found), records, any(each.left for each in found))


async def _of_queue(app: App, channel: Channel, queue: Queue, contact: Contact) -> Erased:
    """Job by job: an operation by a filter would write down whom it is about.

    Where jobs were deleted all are looked at again, as pages are cut anew then.
    """
    whole, end = Erased(0, 0, left=False), monotonic() + PATIENCE
    while True:
        found = await _one_pass(app, channel, queue, contact, end)
        whole = Erased(whole.jobs + found.jobs, whole.records + found.records, found.left)
        if not found.jobs or monotonic() >= end:
            return whole


async def _one_pass(app: App, channel: Channel, queue: Queue, contact: Contact, end: float) -> Erased:
    done = records = 0
    left, cursor = False, None
    while monotonic() < end:
        page = await queue.search(contact.filter, limit=100, cursor=cursor)
        for job in filter(contact.means, page.items):
            is_gone = await _gone(queue, job)
            done, left = done + is_gone, left or not is_gone
            if is_gone and channel.name == AI:
                records += await app.records(KEPT).delete(f"reply {job.id}")
        cursor = page.next
        if cursor is None:
            return Erased(done, records, left)
    return Erased(done, records, left=True)


async def _gone(queue: Queue, job: JobRecord) -> bool:
    """Delete a job, one that waits after it was cancelled. Returns whether it is gone: one that runs is not."""
    try:
        if job.state not in (State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED):
            cancelled = await queue.cancel(job.id, "its contact is erased")
            if cancelled.state is not State.CANCELLED:
                return False
        await queue.delete(job.id)
    except JobNotFound:
        return True
    except WrongState:
        return False
    return True


async def _records_of(app: App, contact: Contact) -> int:
    found = 0
    if contact.contact_id is not None:
        found += await app.records(KEPT).delete(f"talk {digest(contact.workspace, contact.contact_id)}")
    if contact.address is not None:
        found += await app.records(COUNTS).delete(address("sms", contact.address))
    return found

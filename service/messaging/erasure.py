"""Erasing a contact: its jobs in all queues of messages, and what is remembered of it beside these."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from streamq import App, Operation, OperationRecord, OperationTimeout, Queue

from ..json_text import encoded
from .ai import AI, KEPT, digest
from .allowed import COUNTS
from .channel import Channel
from .opt_outs import address

_NUMBER: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")
PATIENCE: Final = 10.0
"""Seconds that one queue may take: what is left is erased by asking again."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to erase: a contact of a workspace, an address or number, or both."""

    workspace: str | None = None
    """As text: its id may be that, or a number."""
    contact_id: str | None = None
    address: str | None = None

    @property
    def filter(self) -> str:
        """The filter that means its jobs."""
        terms = []
        if self.contact_id is not None:
            whose = f"payload.contact_id={_quoted(self.contact_id)}"
            terms.append(f"({whose} ({' or '.join(_ids(self.workspace or ''))}))")
        if self.address is not None:
            terms.append(f"payload.to={_quoted(self.address)}")
        return " or ".join(terms)


def _ids(workspace: str) -> list[str]:
    """The terms for its id as text, and as a number where it is one."""
    found = [f"payload.workspace_id={_quoted(workspace)}"]
    return [*found, f"payload.workspace_id={workspace}"] if _NUMBER.fullmatch(workspace) else found


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
    records = await _replies_of(app, queue, contact) if channel.name == AI else 0
    try:
        await _ended(await queue.cancel_all(contact.filter, "its contact is erased"))
        done = await _ended(await queue.delete_all(contact.filter))
    except OperationTimeout:
        return Erased(0, records, left=True)
    running = await queue.search(f"state:active ({contact.filter})", limit=1)
    return Erased(done.done, records, bool(running.items))


async def _ended(operation: Operation) -> OperationRecord:
    return await operation.wait(timeout=PATIENCE)


async def _replies_of(app: App, queue: Queue, contact: Contact) -> int:
    """The replies of its jobs are kept under their ids: they are deleted while these can be found."""
    records, cursor, found = app.records(KEPT), None, 0
    while True:
        page = await queue.search(contact.filter, limit=100, cursor=cursor)
        for job in page.items:
            found += await records.delete(f"reply {job.id}")
        cursor = page.next
        if cursor is None:
            return found


async def _records_of(app: App, contact: Contact) -> int:
    found = 0
    if contact.contact_id is not None:
        found += await app.records(KEPT).delete(f"talk {digest(contact.workspace, contact.contact_id)}")
    if contact.address is not None:
        found += await app.records(COUNTS).delete(address("sms", contact.address))
    return found

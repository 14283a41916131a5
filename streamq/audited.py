"""Acts of people are noted in the audit trail, right after they are done."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any, Final

from streamq.acting import actor
from streamq.client.client import Client
from streamq.errors import StreamqError, UsageError
from streamq.model.cursors import invalid, is_entry
from streamq.model.shown import as_given
from streamq.model.trail import AuditPage

log = logging.getLogger("streamq.audit")

PAGE_LIMIT: Final = 1_000
"""Entries on a page at most: as many as a queue keeps."""
_CURSOR: Final = re.compile(r"([0-9]+)-([0-9]+)\.([A-Za-z0-9_.-]{0,64})")


async def note(
    client: Client, queue: str, action: str, subject: str = "", by: str = "", *, is_gone: bool = False, **details: Any
) -> None:  # fmt: skip
    """Note an act that is done, where it is known who did it: the actor of the context, else ``by``.

    Where that fails the act is done all the same, so nothing is raised: it is logged as an error.
    """
    who = actor() or by
    if not who:
        return
    if by and by != who:
        details["by"] = by
    try:
        await client.store.trail.note(queue, who, action, subject, details, is_gone=is_gone)
    except StreamqError as error:
        said = "%s of %s in %s by %s is done, and not in the audit trail: %s"
        log.error(said, action, subject or "all", queue, who, error)


async def page(
    client: Client, queues: Sequence[str], limit: int, cursor: str | None, *, with_removed: bool
) -> AuditPage:
    """The latest acts in these queues. Raises ``UsageError``."""
    if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
        raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT:,}")
    if not isinstance(cursor, str | None):
        raise invalid(cursor)
    before = None
    if cursor is not None:
        found = _CURSOR.fullmatch(cursor)
        if found is None or not is_entry(f"{found[1]}-{found[2]}") or not int(found[1]):
            raise invalid(cursor)
        before = int(found[1]), int(found[2]), found[3]
    return await client.store.trail.page(queues, limit, before, with_removed=with_removed)

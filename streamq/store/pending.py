"""What the server has delivered to a worker and not got back, read in bounded pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamq.model.keys import GROUP
from streamq.redis.link import Link

PAGE: Final = 1_000
"""Rows of one answer to XPENDING."""


async def pending(link: Link, lanes: Iterable[str], worker: str) -> dict[str, list[bytes]]:
    """By lane, the entries that are pending under a worker's name, all lanes in one round trip a page.

    A lane without any, or one that cannot be asked, is not in the answer.
    """
    found: dict[str, list[bytes]] = {}
    after = dict.fromkeys(lanes, b"-")
    while after:
        commands = [("XPENDING", lane, GROUP, start, "+", PAGE, worker) for lane, start in after.items()]
        asked, after = after, {}
        for lane, rows in zip(asked, await link.batch(*commands), strict=True):
            if rows and not isinstance(rows, Exception):
                found.setdefault(lane, []).extend(row[0] for row in rows)
                if len(rows) == PAGE:
                    after[lane] = b"(" + rows[-1][0]
    return found

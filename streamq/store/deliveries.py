"""What waits, and who waits for a suspect: what the fetcher asks beside reading itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from streamq.errors import Rejected, StreamqError
from streamq.model.keys import GROUP
from streamq.redis import scripts
from streamq.redis.answers import NoGroup, translate
from streamq.redis.link import Link
from streamq.store.store import Store

READY: Final = 1
"""The number of the lane from which jobs are read that are no suspects."""
ALONE: Final = 2
"""The number of the lane of suspects."""


@dataclass(slots=True)
class Depths:
    """How much waits, by queue."""

    waiting: dict[str, int] = field(default_factory=dict)
    """Jobs that wait, of each queue whose lane has entries; too few where somebody deleted delivered entries."""
    refused: dict[str, StreamqError] = field(default_factory=dict)
    """Queues of which the server does not tell."""


async def depths(store: Store, link: Link, queues: Sequence[str], lane: int) -> Depths:
    """How many jobs wait in one lane of each queue. Raises ``Unavailable`` when that is no fault of a single queue."""
    told, filled = Depths(), []
    if not queues:
        return told
    names = [store.keys(queue).lanes[lane - 1] for queue in queues]
    for queue, name, length in zip(
        queues, names, await link.batch(*[("XLEN", name) for name in names]), strict=True
    ):
        if isinstance(length, Exception):
            told.refused[queue] = fault(length)
        elif length:
            filled.append((queue, name, length))
    if filled:
        groups = await link.batch(*[("XINFO", "GROUPS", name) for _, name, _ in filled])
        for (queue, _, length), reply in zip(filled, groups, strict=True):
            told.waiting[queue] = length - _delivered(reply)
    return told


def fault(reply: Exception) -> StreamqError:
    """What the server said of one queue. Raised when it concerns all of them, as while the server loads its data."""
    error = translate(reply, sent=True)
    if isinstance(error, (Rejected, NoGroup)):
        return error
    raise error from reply


def _delivered(groups: Any) -> int:
    """How many entries of a lane are delivered; none when there is no group, or the server does not tell."""
    for row in () if isinstance(groups, Exception) else groups:
        about = dict(zip(row[::2], row[1::2], strict=True))
        if about.get(b"name") == GROUP.encode():
            return int(about[b"pending"])
    return 0


async def claim_suspect(store: Store, link: Link, queue: str, worker: str, ms: int) -> bool:
    """Whether a suspect waits in the queue, and this worker is the one that waits on its behalf for the next ``ms``.

    0 gives the claim up.
    """
    keys = store.keys(queue)
    return bool(await scripts.CLAIM_SUSPECT.run(link, (keys.alone, keys.alone_claim), GROUP, worker, ms))

"""The upkeep of queues: the table of its duties, and those of one process, put together by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from streamq.duties.auditor import Auditor
from streamq.duties.duty import Duty
from streamq.duties.leaser import Leaser
from streamq.duties.operator import Operator
from streamq.duties.placer import Placer
from streamq.duties.promoter import POLL, Promoter
from streamq.duties.pruner import Pruner
from streamq.duties.reclaimer import Reclaimer
from streamq.duties.seats import CHIEF, DEPUTY, SCHEDULER, WATCHER, Seats
from streamq.duties.ticker import Ticker
from streamq.duties.voucher import Voucher
from streamq.liveness.identity import new_name
from streamq.program import Program
from streamq.redis.links import Links
from streamq.store.store import Store


class Share(Enum):
    """The processes that take part in the upkeep, by how much of it they do."""

    ALL = "workers and schedulers"
    RECLAIM = "`streamq reclaimer`"
    VOUCH = "workers with `--no-duties`, and the parent of `--processes`"


@dataclass(frozen=True, slots=True)
class Process:
    """What the duties of one process are made of."""

    store: Store
    queues: Callable[[], Sequence[str]]
    seats: Seats
    worker: str
    """The name of its worker, if it has one."""
    links: Links | None
    """The connections of all of them, which the store closes."""
    deaf_poll: float
    """The longest rest of its promoter where it hears no signals, in seconds."""
    on_suspects: Callable[[], None]
    """Called when a job was found that is to run alone."""
    on_promotion: Callable[[bool], None]
    """Told when jobs may be promoted from now, and when no more are."""


class Row(NamedTuple):
    """A duty: its name, what it does, in which queues, what wakes it, who has it, and how it is made."""

    name: str
    does: str
    where: str
    woken_by: str
    shares: tuple[Share, ...]
    make: Callable[[Process], Duty]


_SEATED: Final = (Share.ALL, Share.RECLAIM)

_SEATS: Final = "a change of seats or of workers"

DUTIES: Final[tuple[Row, ...]] = (
    Row(
        "upkeep", "takes and renews the seats", "all of its queues", "`upkeep` signals; the loss of a holder",
        _SEATED, lambda p: p.seats,
    ),
    Row(
        "reclaimer", "finds lost workers and starts their jobs again", "where it has a seat", _SEATS,
        _SEATED, lambda p: Reclaimer(
            p.store, p.seats.watched, own=p.worker, others=p.seats.others, on_suspects=p.on_suspects,
            on_lost=p.seats.lost, links=p.links,
        ),
    ),
    Row(
        "auditor", "repairs the index of deliveries", "where it is chief", _SEATS,
        _SEATED, lambda p: Auditor(p.store, p.seats.chief, links=p.links),
    ),
    Row(
        "voucher", "beats for processes of its host that cannot", "all of its queues", _SEATS,
        tuple(Share), lambda p: Voucher(p.store, p.queues, own=p.worker, links=p.links),
    ),
    Row(
        "promoter", "makes delayed jobs wait when they are due", "where it is chief; overdue ones where it is deputy",
        f"`due` signals; {_SEATS}",
        (Share.ALL,), lambda p: Promoter(
            p.store, p.seats.chief, overdue=p.seats.deputy, deaf_poll=p.deaf_poll, links=p.links,
            on_turn=p.on_promotion,
        ),
    ),
    Row(
        "operator", "goes on with background operations; lets jobs wait again whose task was paused",
        "where it is chief", f"`operation` and `steer` signals; {_SEATS}",
        (Share.ALL,), lambda p: Operator(p.store, p.seats.chief, links=p.links),
    ),
    Row(
        "leaser", "leases what jobs draw from shared limits", "where it is chief", f"`lease` signals; {_SEATS}",
        (Share.ALL,), lambda p: Leaser(p.store, p.seats.chief, links=p.links),
    ),
    Row(
        "ticker", "runs schedules at their planned times", "where it is chief; overdue ones where it is deputy",
        f"`schedules` signals; {_SEATS}",
        (Share.ALL,), lambda p: Ticker(p.store, p.seats.chief, overdue=p.seats.deputy, links=p.links),
    ),
    Row(
        "placer", "lets groups and keys go home when the partitions have changed", "where it is chief", _SEATS,
        (Share.ALL,), lambda p: Placer(p.store, p.seats.chief, links=p.links),
    ),
    Row(
        "pruner", "forgets finished records past their age", "where it is chief", _SEATS,
        (Share.ALL,), lambda p: Pruner(p.store, p.seats.chief),
    ),
)  # fmt: skip
"""All duties. A new one is a file beside this, and a row here."""


def upkeep(
    app: Program, queues: Callable[[], Sequence[str]], share: Share = Share.ALL, *, worker: str = "",
    deaf_poll: float = POLL, on_suspects: Callable[[], None] = lambda: None,
    on_promotion: Callable[[bool], None] = lambda _: None,
) -> list[Duty]:  # fmt: skip
    """The duties of a process for these queues; ``worker`` is the name of its worker, if it has one."""
    who = worker or f"{SCHEDULER}{new_name()}"
    kinds = (CHIEF, DEPUTY) if share is Share.ALL else (WATCHER,)
    store, rows = app.client.store, [row for row in DUTIES if share in row.shares]
    links = store.common if len(rows) > 1 else None
    seats = Seats(store, queues, who, seats=kinds, brief=not worker, links=links)
    process = Process(store, queues, seats, worker, links, deaf_poll, on_suspects, on_promotion)
    duties = [row.make(process) for row in rows]
    for duty in duties:
        if duty is not seats:
            seats.tell(duty.wake)
    return duties

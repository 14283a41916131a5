"""The upkeep of queues: the duties, put together round the seats that say who does them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamq.duties.auditor import Auditor
from streamq.duties.duty import Duty
from streamq.duties.identity import new_name
from streamq.duties.promoter import POLL, Promoter
from streamq.duties.pruner import Pruner
from streamq.duties.reclaimer import Reclaimer
from streamq.duties.seats import CHIEF, DEPUTY, SCHEDULER, WATCHER, Seats
from streamq.duties.voucher import Voucher
from streamq.program import Program


def upkeep(
    app: Program, queues: Callable[[], Sequence[str]], *, worker: str = "", only_reclaim: bool = False,
    poll: float = POLL, on_suspects: Callable[[], None] = lambda: None,
) -> list[Duty]:  # fmt: skip
    """The duties of a process for these queues; ``worker`` is the name of its worker, if it has one.

    With ``only_reclaim`` it takes a seat that keeps nobody from promoting, and watches and audits.
    """
    store = app.client.store
    seats = Seats(
        store, queues, worker or f"{SCHEDULER}{new_name()}", seats=(WATCHER,) if only_reclaim else (CHIEF, DEPUTY),
        brief=not worker,
    )  # fmt: skip
    reclaimer = Reclaimer(
        store, app.client.views, seats.watched, own=worker, others=seats.others, on_suspects=on_suspects,
        on_lost=seats.wake,
    )  # fmt: skip
    auditor = Auditor(store, seats.watched if only_reclaim else seats.chief)
    voucher = Voucher(store, app.client.views, queues, own=worker)
    for duty in (reclaimer, auditor, voucher):
        seats.tell(duty.wake)
    duties: list[Duty] = [seats, reclaimer, auditor, voucher]
    if not only_reclaim:
        promoter = Promoter(store, seats.chief, overdue=seats.deputy, poll=poll)
        pruner = Pruner(store, app.client.views, seats.chief)
        for woken in (promoter, pruner):
            seats.tell(woken.wake)
        duties += [promoter, pruner]
    return duties

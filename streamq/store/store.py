"""The store: what is written to the servers and read from them, by subject."""

from __future__ import annotations

from collections.abc import Callable

from streamq.redis.servers import Servers
from streamq.settings import Settings
from streamq.store.access import Access
from streamq.store.delayed import Delayed
from streamq.store.delivery import Delivery
from streamq.store.jobs import Jobs
from streamq.store.outcomes import Outcomes
from streamq.store.producers import Producers
from streamq.store.queues import Queues
from streamq.store.recovery import Recovery
from streamq.store.retention import Retention
from streamq.store.schedules import Schedules
from streamq.store.seats import Seats
from streamq.store.server import ServerQueries
from streamq.store.workers import Workers


class Store(Access):
    """The subjects, each with its commands and its queries; every one of these names its queue.

    Methods raise ``Unavailable`` or a subclass of it when the server cannot be reached.
    """

    def __init__(
        self, servers: Servers, settings: Settings, attempts_of: Callable[[str], int | None] = lambda _: None
    ) -> None:
        super().__init__(servers, settings)
        self.producers = Producers(self)
        self.delivery = Delivery(self)
        self.outcomes = Outcomes(self)
        self.delayed = Delayed(self)
        self.workers = Workers(self)
        self.recovery = Recovery(self, self.delivery, self.workers)
        self.retention = Retention(self)
        self.jobs = Jobs(self, attempts_of)
        self.queues = Queues(self)
        self.schedules = Schedules(self)
        self.seats = Seats(self)
        self.server = ServerQueries(self)

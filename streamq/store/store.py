"""The store: what is written to the servers and read from them, by subject."""

from __future__ import annotations

from collections.abc import Callable

from streamq.model.job_record import JobRecord
from streamq.redis.servers import Servers
from streamq.settings import Settings
from streamq.store.access import Access
from streamq.store.accounts import Accounts
from streamq.store.delayed import Delayed
from streamq.store.delivery import Delivery
from streamq.store.explanations import Explanations
from streamq.store.failures import Failures
from streamq.store.followers import Followers
from streamq.store.group import Groups
from streamq.store.jobs import Jobs
from streamq.store.migrations import Migrations
from streamq.store.operations import Operations
from streamq.store.outcomes import Outcomes
from streamq.store.partitions import PartitionStore
from streamq.store.producers import Producers
from streamq.store.queues import Queues
from streamq.store.records import RecordsStore
from streamq.store.recovery import Recovery
from streamq.store.reports import Reports
from streamq.store.requests import Requests
from streamq.store.results import Results
from streamq.store.retention import Retention
from streamq.store.schedules import Schedules
from streamq.store.search import Search
from streamq.store.seats import Seats
from streamq.store.server import ServerQueries
from streamq.store.shared import SharedLimits
from streamq.store.slow import SlowStore
from streamq.store.statistics import StatisticsStore
from streamq.store.steering import SteeringStore
from streamq.store.tasks import Tasks
from streamq.store.trail import Trail
from streamq.store.unique import UniqueKeys
from streamq.store.workers import Workers


class Store(Access):
    """The subjects, each with its commands and its queries; every one of these names its queue.

    Methods raise ``Unavailable`` or a subclass of it when the server cannot be reached.
    """

    def __init__(
        self, servers: Servers, settings: Settings, known: Callable[[JobRecord], JobRecord] = lambda job: job
    ) -> None:
        super().__init__(servers, settings)
        self.producers = Producers(self)
        self.delivery = Delivery(self)
        self.outcomes = Outcomes(self)
        self.delayed = Delayed(self)
        self.workers = Workers(self)
        self.tasks = Tasks(self, self.workers)
        self.accounts = Accounts(self)
        self.recovery = Recovery(self, self.delivery, self.workers)
        self.retention = Retention(self)
        self.results = Results(self)
        self.jobs = Jobs(self, known)
        self.search = Search(self, known)
        self.failures = Failures(self)
        self.statistics = StatisticsStore(self)
        self.slow = SlowStore(self)
        self.explanations = Explanations(self, self.workers, self.statistics, known)
        self.queues = Queues(self)
        self.migrations = Migrations(self, self.queues)
        self.steering = SteeringStore(self)
        self.shared_limits = SharedLimits(self)
        self.groups = Groups(self, self.shared_limits)
        self.schedules = Schedules(self)
        self.partition = PartitionStore(self, self.groups, self.schedules)
        self.trail = Trail(self)
        self.records = RecordsStore(self)
        self.operations = Operations(self, known)
        self.unique = UniqueKeys(self)
        self.followers = Followers(self)
        self.reports = Reports(self)
        self.requests = Requests(self)
        self.seats = Seats(self)
        self.server = ServerQueries(self)

    async def close(self) -> None:
        """Drop all connections."""
        await self.partition.stop()
        await super().close()

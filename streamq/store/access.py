"""What all subjects of the store share: the connections, the names of the keys, and the server's clock."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from streamq.model.clock import ServerClock
from streamq.model.keys import AppKeys, Keys
from streamq.model.partitions import Partitions
from streamq.model.places import queue_of
from streamq.model.retention import DEFAULT, Kept, Retention
from streamq.redis.links import Links
from streamq.redis.pool import Pool
from streamq.redis.servers import Servers
from streamq.redis.signals import Signals
from streamq.redis.thread_links import ThreadLinks
from streamq.settings import Settings


class Access:
    """The way to the servers of one app."""

    def __init__(self, servers: Servers, settings: Settings) -> None:
        self.servers, self.settings = servers, settings
        self.pool = Pool(servers)
        self.signals = Signals(servers)
        self.clock = ServerClock()
        self.shared = AppKeys(settings.prefix, in_one_slot=not servers.is_one)
        """The keys that all queues share."""
        self.retentions: dict[str, Retention] = {}
        """What was told of the retention of queues, as far as it was last seen here; nothing, for most."""
        self.default_retention = Kept(
            settings.keep_completed,
            settings.keep_completed_for,
            settings.keep_failed,
            settings.keep_failed_for,
        )
        self.partitions: dict[str, Partitions] = {}
        """Of the queues that have several, how many, as far as it was last seen here."""
        self._keys: dict[str, Keys] = {}

    def links(self, client_name: str = "streamq", *, shared: bool = False) -> Links:
        """Connections for one purpose: for a caller that blocks, or that writes in batches. ``shared``: for several
        callers, whose calls are short."""
        return Links(self.servers, client_name, shared=shared)

    @cached_property
    def common(self) -> Links:
        """Those of this process for whoever asks briefly and often: one to each server."""
        return self.links(shared=True)

    async def ask_home(self, *command: Any) -> Any:
        """A brief question to the server of what all queues share, over a connection that is there."""
        link = self.common.home
        return await (link.call(*command) if link.connected else self.pool.call_home(*command))

    def reading_links(self, worker: str) -> Links:
        """Those over which a worker reads jobs: its own where a read blocks, which it does on one server only."""
        return self.links(worker) if self.servers.is_one else self.common

    def thread_links(self, client_name: str) -> ThreadLinks:
        """The same for a thread."""
        return ThreadLinks(self.servers, client_name)

    def keys(self, queue: str) -> Keys:
        """The keys of a partition. Raises ``ConfigurationError`` for a bad name."""
        try:
            found = self._keys.get(queue)
        except TypeError:  # unhashable: Keys refuses it with the right error
            found = None
        if found is None:
            found = self._keys[queue] = Keys(self.settings.prefix, queue, sharded=not self.servers.is_one)
        return found

    def part_of(self, partition: str, whole: int) -> int:
        """What one partition has of a number of records that is kept of a queue."""
        its = self.partitions.get(queue_of(partition)) if self.partitions else None
        return whole if its is None else -(-whole // its.count)

    def learn_retention(self, queue: str, told: Retention) -> None:
        """What is told to a queue was seen."""
        if told == DEFAULT:
            self.retentions.pop(queue, None)
        else:
            self.retentions[queue] = told

    async def close(self) -> None:
        """Drop all connections."""
        await self.signals.close()
        await self.common.close()
        await self.pool.close()

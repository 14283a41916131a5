"""The nodes of a Redis Cluster: which of them has the slot of a queue, also while slots and primaries move.

Protocol: the specification of Redis Cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from redis import exceptions as foreign

from streamq.errors import StreamqError, Unavailable
from streamq.model.clock import monotonic
from streamq.model.keys import TOGETHER
from streamq.model.slots import slot_of, slot_of_queue
from streamq.redis.link import Link, SharedLink
from streamq.redis.replies import info_in
from streamq.redis.server import Closes, Search, Server
from streamq.redis.servers import Servers
from streamq.redis.slot_map import Place, Shard, SlotMap, shards_in
from streamq.redis.watch import Watch
from streamq.settings import Settings
from streamq.settings.location import Location

log = logging.getLogger("streamq.connection")

LOOK: Final = 1.0
"""Seconds between two looks at the epoch of the cluster."""
LOOK_AGAIN: Final = 0.1
"""Seconds between two looks at the map of the slots while a node is away."""
IDLE: Final = 15.0
"""Seconds after which a connection that nobody uses is dropped: there are as many of each kind as there are nodes."""
TRY_AGAIN: Final = (0.01, 0.2)
"""Seconds before a command is sent again whose slot is on its way to another node: at first, and at most."""
ANNOUNCED: Final = (
    "that is the address the node announces: if it cannot be reached from here, set cluster-announce-ip on the node "
    "(and cluster-announce-port), or let it be reached"
)
_NAME: Final = "streamq-cluster"


class Peer(Server):
    """Any node of a cluster, which is asked about it: one that has no slots will do as well."""

    mode = "cluster"


class Node(Server):
    """The primary at one of these addresses of a cluster."""

    mode = "cluster"

    def __init__(self, settings: Settings, addresses: Sequence[Location], cluster: Cluster) -> None:
        super().__init__(settings, addresses)
        self._cluster = cluster
        self.follow = cluster.follow

    @property
    def several(self) -> bool:
        """There are others: one that is a primary no more is left."""
        return True

    @property
    def announced(self) -> str:
        """All but the first are named by others."""
        return "" if self is self._cluster.seed else ANNOUNCED

    def look_soon(self) -> None:
        """The map is to be read again."""
        self._cluster.look_soon()

    def not_found(self, search: Search) -> StreamqError:
        """It cannot be reached, or is no primary any more."""
        self.look_soon()
        if search.unreached and self.announced:
            search.advised(self.announced)
        return super().not_found(search)

    def moved(self, to: foreign.MovedError) -> None:
        """A slot is another's: the map is corrected at once, and read again."""
        self._cluster.moved(to.slot_id, to.host or self.places[0].host, to.port)

    def demoted(self, era: int) -> None:
        """It takes no writes any more."""
        super().demoted(era)
        self.look_soon()

    def opened(self, link: Closes) -> None:
        """As long as there is a connection, the cluster is looked at."""
        self._cluster.watch.opened(link, self.era)

    async def closed(self, link: Closes) -> None:
        """It was dropped."""
        await self._cluster.watch.closed(link)


class Way(NamedTuple):
    """Where a redirected command is sent."""

    place: Place
    asking: bool
    """The slot is not there yet, but the key may be."""
    again: bool
    """Its keys are at both ends at the moment."""


class Cluster(Servers):
    """The nodes, and the map of the slots to them.

    The map is read when a node refuses a command as the slot is not its, when one cannot be reached, and when the epoch
    of the cluster has changed, which is looked at each second. Until it is known, any node is asked and knows the way.
    """

    def __init__(self, settings: Settings, address: Location) -> None:
        self.settings = settings
        self._alone = replace(address, through="", hosts=())
        places = [replace(self._alone, host=host, port=port) for host, port in address.hosts]
        self.seed = Node(settings, places, self)
        self._seed_places = places
        self._nodes: dict[Place, Node] = {}
        self._map = SlotMap[Node]()
        self._told: list[Callable[[], object]] = []
        self._epoch = -1
        self._detours: dict[Place, SharedLink] = {}
        """For commands that were redirected: their own connections may be busy with others."""
        self._due = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.watch = Watch(self._look_on, _NAME)

    @property
    def home(self) -> Server:
        """The node of the slot that all queues share."""
        return self._map.owner(slot_of(TOGETHER)) or self.seed

    @property
    def all(self) -> tuple[Server, ...]:
        """The primaries that have slots."""
        return self._map.owners or (self.seed,)

    @property
    def is_one(self) -> bool:
        """A cluster of one node may grow."""
        return False

    def of(self, queue: str) -> Server:
        """The node of a queue's slot."""
        return self._map.owner(slot_of_queue(queue)) or self.seed

    def node(self, host: str, port: int) -> Node:
        """The node at a place."""
        place = (host, port)
        node = self._nodes.get(place)
        if node is None:
            written = f"[{host}]" if ":" in host else host
            node = Node(self.settings, [replace(self._alone, host=written, port=port)], self)
            self._nodes[place] = node
        return node

    def on_change(self, told: Callable[[], object]) -> None:
        """Have ``told`` called when the map has changed."""
        self._told.append(told)

    def _take(self, slots: SlotMap[Node]) -> None:
        self._map = slots
        for told in self._told:
            told()

    def moved(self, slot: int, host: str, port: int) -> None:
        """A node says who has a slot."""
        self._take(self._map.with_slot(slot, self.node(host, port)))
        self.look_soon()

    # -- the map --------------------------------------------------------------------------------------------

    def look_soon(self) -> None:
        """The map may be out of date. Also for threads."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._due.set)

    async def prepare(self) -> None:
        """Read the map. Raises ``Unavailable`` when no node answers, or the cluster does not serve all slots."""
        search = Search()
        for place in [*self._nodes_places(), *self._seed_places]:
            link = Link(Peer(self.settings, [place]), _NAME)
            try:
                if await self._read(link, anew=True):
                    return
                search.passed_over(str(place), "it has not heard of the last change of the cluster")
            except Exception as error:
                search.failed(str(place), error)
            finally:
                await link.close()
        self._epoch = -1
        raise search.unsuccessful()

    def _nodes_places(self) -> list[Location]:
        return [place for node in self._map.owners for place in node.places]

    async def _read(self, link: Link, *, anew: bool) -> bool:
        """Look at the epoch, and at the map when it has changed or ``anew``. Whether what it says is no older than
        what is known. Raises ``Unavailable`` for a node that says that the cluster is down."""
        info = info_in(await link.call("CLUSTER", "INFO"))
        epoch = int(info.get("cluster_current_epoch", 0))
        if epoch < self._epoch:
            return False
        if info.get("cluster_state") != "ok":
            raise Unavailable(
                f"the cluster is down: {info.get('cluster_slots_ok', '0')} of 16384 slots are served "
                "(CLUSTER INFO); its nodes must reach each other, and each slot must have a primary"
            )
        if anew or epoch != self._epoch:
            (place,) = link.server.places
            tls = place.scheme == "rediss"
            self._learn(shards_in(await link.call("CLUSTER", "SHARDS"), place.host, tls=tls))
            self._epoch = epoch
        return True

    def _learn(self, shards: Sequence[Shard]) -> None:
        """Take the map of the slots, and log who has come and gone."""
        before = set(self._map.owners)
        rows = [(first, last, self.node(*shard.place)) for shard in shards for first, last in shard.ranges]
        self._take(SlotMap(rows))
        if before and before != set(self._map.owners):
            log.info("the primaries of the cluster are now %s", ", ".join(self.names))

    async def _look_on(self) -> None:
        """Keep the map up to date, and leave the nodes that have no slots any more."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._due.clear()
                try:
                    await self._look_on_at_one()
                except Exception as error:  # whatever a node says
                    log.debug("the map of the cluster cannot be read: %r", error)
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            for link in self._detours.values():
                await link.close()

    async def _look_on_at_one(self) -> None:
        """Look at one node until it is gone, or does not hear of changes. Raises ``Unavailable``."""
        await self.prepare()
        link = self.watch.shared_with(self._map.owners) or Link(
            Peer(self.settings, self._map.owners[0].places), _NAME
        )
        try:
            anew = False
            while await self._read(link, anew=anew):
                await self.watch.leave(self._is_former)
                anew = await self._told_to_look()
                if link is not (self.watch.shared_with(self._map.owners) or link):
                    break
        finally:
            if not isinstance(link, SharedLink):
                await link.close()

    def _is_former(self, link: Closes, era: int) -> bool:
        return (
            link.server.era != era or link.server not in (self.seed, *self._map.owners) or link.is_idle(IDLE)
        )

    async def _told_to_look(self) -> bool:
        """Whether somebody has asked for a look within ``LOOK`` seconds, with a pause between two."""
        await asyncio.sleep(LOOK_AGAIN)
        try:
            async with asyncio.timeout(LOOK - LOOK_AGAIN):
                await self._due.wait()
        except TimeoutError:
            return False
        self._due.clear()
        return True

    # -- following a command --------------------------------------------------------------------------------

    async def follow(
        self, asked: Server, commands: Sequence[tuple[Any, ...]], replies: list[Any], timeout: float | None
    ) -> list[Any]:
        """The replies of a node with those in the place of redirections that the right nodes give.

        A slot that is on its way answers only for keys that are all at one end: such a command is sent again until it
        is there, for as long as a command may take.
        """
        deadline, pause = monotonic() + (timeout or self.settings.command_timeout), TRY_AGAIN[0]
        if commands[0] == ("MULTI",):
            return await self._follow_whole(asked, commands, replies, deadline, timeout)
        while (ways := self._ways(asked, replies)) and monotonic() < deadline:
            if any(way.again for way in ways):
                await asyncio.sleep(pause)
                pause = min(2 * pause, TRY_AGAIN[1])
            for way, places in ways.items():
                answers = await self._sent_on(way, [commands[at] for at in places], timeout)
                for at, answer in zip(places, answers, strict=True):
                    replies[at] = answer
        return replies

    async def _follow_whole(
        self, asked: Server, commands: Sequence[tuple[Any, ...]], replies: list[Any], deadline: float,
        timeout: float | None,
    ) -> list[Any]:  # fmt: skip
        """The same of a transaction, which none of its commands may leave: while its slot is on its way, it waits."""
        pause, own = TRY_AGAIN[0], asked.places[0]
        while (ways := self._ways(asked, replies)) and monotonic() < deadline:
            way = next(iter(ways))
            if way.asking or way.again:
                await asyncio.sleep(pause)
                pause = min(2 * pause, TRY_AGAIN[1])
                way = Way((own.host, own.port or 6379), asking=False, again=True)
            replies = list(await self._sent_on(way, commands, timeout))
        if ways:  # that says more than that the transaction was not run
            replies[-1] = replies[next(iter(ways.values()))[0]]
        return replies

    def _ways(self, asked: Server, replies: Sequence[Any]) -> dict[Way, list[int]]:
        """Where to send again what was redirected, by the places of the commands."""
        ways: dict[Way, list[int]] = {}
        for at, reply in enumerate(replies):
            if isinstance(reply, foreign.AskError):  # MOVED too is one
                place = (reply.host or asked.places[0].host, reply.port)
                way = Way(place, asking=not isinstance(reply, foreign.MovedError), again=False)
            elif isinstance(reply, foreign.TryAgainError):
                (own,) = asked.places[:1]
                way = Way((own.host, own.port or 6379), asking=False, again=True)
            else:
                continue
            ways.setdefault(way, []).append(at)
        return ways

    async def _sent_on(
        self, way: Way, commands: Sequence[tuple[Any, ...]], timeout: float | None
    ) -> Sequence[Any]:
        """The replies of another node; its error in the place of each."""
        link = self._detours.get(way.place)
        if link is None:
            (address,) = self.node(*way.place).places
            link = self._detours[way.place] = SharedLink(Peer(self.settings, [address]), _NAME)
        sent = [
            part for command in commands for part in ((("ASKING",), command) if way.asking else (command,))
        ]
        try:
            replies = await link.batch(*sent, timeout=timeout)
        except StreamqError as error:
            return [error] * len(commands)
        return replies[1::2] if way.asking else replies

"""Signals: what scripts tell at once to whoever listens, on one connection per process and server.

A signal is published on a channel of its queue and kept nowhere. It may be lost, with the connection or because our
user must not listen; so each listener is told to look for itself as soon as it is listened to, and after each
reconnection, and looks from time to time anyhow.

    ended <id>[:<length>] …     jobs that ended, on ``Keys.ended``; for those with a length, their records follow,
                                long ones without their payload
    due <ms>                    a due time earlier than the last known one, on ``Keys.signals``
    report <id> <n> <first> <m>  a progress of n bytes and the lines of a log of m bytes, by the number of the first,
                                on ``Keys.reported``; progress and lines of all follow
    lease <name>                a queue is short of a shared limit, on ``Keys.signals``
    cancel <id>                 the end of an active job is asked for, on ``Keys.signals``
    schedules                   a schedule was made, changed, paused or removed, on ``Keys.signals``
    worker <name>               something is asked of a worker, on ``Keys.signals`` of its first queue
    upkeep                      somebody has taken a seat in the upkeep, or stands by, on ``Keys.signals``

After the lines comes an empty one, then the records, one after another. Lines that begin with other words are for
later versions.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from redis.exceptions import MovedError

from streamq.errors import Unavailable
from streamq.redis.answers import Redirected, translate
from streamq.redis.server import Server
from streamq.redis.servers import Servers
from streamq.redis.subscriber import Subscriber

log = logging.getLogger("streamq.signals")

Heard = Callable[[bytes | None], object]
"""Called with each message, and with ``None`` when it is time to look for oneself."""

ALIVE: Final = 15.0
"""Seconds between two questions whether the connection still is one."""
RECONNECT: Final = (0.1, 2.0)
"""Seconds before a lost connection is opened again: at first, and at most."""


def ended(message: bytes) -> Iterator[tuple[str, bytes | None]]:
    """The jobs of a message, each with its record or ``None``. Raises ``ValueError`` for what is no signal."""
    head, found, bodies = message.partition(b"\n\n")
    if not found:
        raise ValueError("no empty line ends its lines")
    at = 0
    for line in head.decode().split("\n"):
        word, *jobs = line.split(" ")
        for job in jobs if word == "ended" else ():
            job_id, carried, length = job.partition(":")
            if not carried:
                yield job_id, None
                continue
            start, at = at, at + int(length)
            if not start <= at <= len(bodies):
                raise ValueError(f"a record of {length} bytes is not all there")
            yield job_id, bodies[start:at]


def reported(message: bytes) -> Iterator[tuple[str, bytes, int, bytes]]:
    """Of each job of a message its progress, the number of its first line, and its lines, empty where there are none.

    Raises ``ValueError`` for what is no signal.
    """
    head, found, bodies = message.partition(b"\n\n")
    if not found:
        raise ValueError("no empty line ends its lines")
    at = 0
    for line in head.decode().split("\n"):
        word, *said = line.split(" ")
        if word != "report":
            continue
        job_id, size, first, length = said
        middle, end = at + int(size), at + int(size) + int(length)
        if not at <= middle <= end <= len(bodies):
            raise ValueError(f"a report of {size} and {length} bytes is not all there")
        yield job_id, bodies[at:middle], int(first), bodies[middle:end]
        at = end


def cancelled(message: bytes) -> Iterator[str]:
    """The ids of active jobs whose end is asked for."""
    for line in message.decode("utf-8", "replace").split("\n"):
        word, _, job_id = line.partition(" ")
        if word == "cancel":
            yield job_id


class Signals:
    """The listeners of this process, on one connection to each server that any of them listens on."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._channels: dict[Server, Channels] = {}
        self._roaming: dict[str, Roaming] = {}
        servers.on_change(self._follow)

    def of(self, queue: str) -> Channels | Roaming:
        """The channels of a queue."""
        if self._servers.is_one:
            return self._on(self._servers.home)
        roaming = self._roaming.get(queue)
        if roaming is None:
            roaming = self._roaming[queue] = Roaming(self._on(self._servers.of(queue)))
        return roaming

    def _on(self, server: Server) -> Channels:
        channels = self._channels.get(server)
        if channels is None:
            channels = self._channels[server] = Channels(server, sharded=not self._servers.is_one)
        return channels

    def _follow(self) -> None:
        """Queues have moved: their listeners move along."""
        for queue, roaming in self._roaming.items():
            roaming.move(self._on(self._servers.of(queue)))

    def listen_only(
        self, listening: dict[str, Callable[[], None]], channels: Mapping[str, str],
        heard: Callable[[str, bytes | None], object],
    ) -> None:  # fmt: skip
        """Listen to these channels, by queue, and to no others of ``listening`` any more; it is kept up to date.

        ``heard`` is called with the queue and the message.
        """
        for queue in listening.keys() - channels.keys():
            listening.pop(queue)()
        for queue in channels.keys() - listening.keys():
            listening[queue] = self.of(queue).listen(channels[queue], partial(heard, queue))

    async def close(self) -> None:
        """Stop listening and drop the connections."""
        for channels in self._channels.values():
            await channels.close()


class Roaming:
    """The channels of a queue that may move to another server."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._stops: dict[tuple[str, Heard], Callable[[], None]] = {}

    def listen(self, channel: str, heard: Heard) -> Callable[[], None]:
        """As ``Channels`` does, wherever the queue is."""
        self._stops[channel, heard] = self._channels.listen(channel, heard)

        def stop() -> None:
            if ends := self._stops.pop((channel, heard), None):
                ends()

        return stop

    def move(self, to: Channels) -> None:
        """Listen there instead, where it is another."""
        if to is self._channels:
            return
        self._channels = to
        for (channel, heard), stop in list(self._stops.items()):
            stop()
            self._stops[channel, heard] = to.listen(channel, heard)

    def hears(self, channel: str) -> bool:
        """As ``Channels`` does."""
        return self._channels.hears(channel)

    def undecided(self, channel: str) -> bool:
        """As ``Channels`` does."""
        return self._channels.undecided(channel)

    async def caught_up(self) -> bool:
        """As ``Channels`` does; ``False`` where the queue moves meanwhile."""
        channels = self._channels
        return await channels.caught_up() and channels is self._channels


class Channels:
    """The listeners on one server and their connection, which is open while there are any."""

    def __init__(self, server: Server, *, sharded: bool = False) -> None:
        self._server, self._of_shard = server, "S" if sharded else ""
        self._subscriber = Subscriber(server, "streamq-signals")
        self._listeners: dict[str, list[Heard]] = {}
        self._subscribed: set[str] = set()
        self._confirmed: set[str] = set()
        self._refused: set[str] = set()
        self._asked: deque[str] = deque()
        self._pongs: list[asyncio.Future[bool]] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._troubled, self._pause = False, RECONNECT[0]

    def listen(self, channel: str, heard: Heard) -> Callable[[], None]:
        """Call ``heard`` with each message of the channel, until the function that is returned is called.

        It is called with ``None`` once the channel is listened to, after each reconnection, and when it cannot be
        listened to: whoever asks the server after that has missed nothing before it.
        """
        self._listeners.setdefault(channel, []).append(heard)
        if channel in self._confirmed:
            asyncio.get_running_loop().call_soon(self._tell, [heard], None)
        self._wake()

        def stop() -> None:
            heards = self._listeners.get(channel, [])
            if heard in heards:
                heards.remove(heard)
            if not heards:
                self._listeners.pop(channel, None)
                self._wake()

        return stop

    def hears(self, channel: str) -> bool:
        """Whether the channel is listened to."""
        return channel in self._confirmed

    def undecided(self, channel: str) -> bool:
        """Whether it will be known soon if the channel is listened to: its listeners are called then."""
        return not (channel in self._confirmed or channel in self._refused or self._troubled)

    async def caught_up(self) -> bool:
        """Return once everything published before this call was heard; ``False`` when that cannot be known."""
        if not self._confirmed:
            return False
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        try:
            await self._subscriber.send(("PING",))
        except Unavailable:
            self._hang_up_pongs()
        return await pong

    async def close(self) -> None:
        """Stop listening and drop the connection."""
        self._listeners.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _wake(self) -> None:
        self._changed.set()
        if self._task is None and self._listeners:
            self._task = asyncio.create_task(self._run(), name="signals")

    async def _run(self) -> None:
        try:
            while self._listeners:
                try:
                    await self._session()
                    continue
                except Unavailable as error:
                    self._trouble(error)
                except Exception as error:
                    log.exception("listening failed; it begins again")
                    self._trouble(error)
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, RECONNECT[1])
        finally:
            self._task = None

    def _trouble(self, error: Exception) -> None:
        """Say once that nothing is heard, and let all listeners look for themselves."""
        if not self._troubled:
            log.warning("no signals are heard: %s; listeners look for themselves meanwhile", error)
        self._troubled = True
        for heards in list(self._listeners.values()):
            self._tell(heards, None)

    async def _session(self) -> None:
        """One connection, from its beginning to its end."""
        reader: asyncio.Task[None] | None = None
        try:
            await self._subscriber.connect()
            reader = asyncio.create_task(self._read(), name="signals reader")
            reader.add_done_callback(lambda _: self._changed.set())
            while self._listeners:
                await self._subscribe()
                if reader.done():
                    reader.result()
                await self._rest()
        finally:
            try:
                if reader is not None:
                    reader.cancel()
                    await asyncio.wait([reader])
            finally:  # also when we are cancelled meanwhile
                await self._subscriber.close()
                self._hang_up()

    async def _subscribe(self) -> None:
        self._changed.clear()
        wanted = self._listeners.keys()
        more = [channel for channel in wanted if channel not in self._subscribed]
        less = [channel for channel in self._subscribed if channel not in wanted]
        self._subscribed.update(more)
        self._subscribed.difference_update(less)
        self._confirmed.difference_update(less)
        self._asked.extend(more)
        # each by itself, so that one which is refused refuses no other
        commands = [(f"{self._of_shard}SUBSCRIBE", c) for c in more]
        commands += [(f"{self._of_shard}UNSUBSCRIBE", c) for c in less]
        if commands:
            await self._subscriber.send(*commands)

    async def _rest(self) -> None:
        """Wait until something changes, and check meanwhile that the connection still answers."""
        try:
            async with asyncio.timeout(ALIVE):
                await self._changed.wait()
        except TimeoutError:
            if self._asked:
                raise Unavailable(f"a SUBSCRIBE was not answered for {ALIVE:g} s") from None
            self._subscribed -= self._refused  # they may be allowed by now
            try:
                async with asyncio.timeout(ALIVE):
                    await self.caught_up()
            except TimeoutError:
                raise Unavailable(f"the connection did not answer for {ALIVE:g} s") from None

    async def _read(self) -> None:
        while True:
            self._take(await self._subscriber.receive())

    def _take(self, reply: Any) -> None:
        word = reply[0] if isinstance(reply, list) and reply else reply
        if word in (b"message", b"smessage"):
            self._tell(self._listeners.get(reply[1].decode(), ()), reply[2])
        elif word in (b"subscribe", b"ssubscribe"):
            self._answered(None)
        elif isinstance(word, Exception):
            if isinstance(word, MovedError):
                self._server.moved(word)
            self._answered(translate(word, sent=True))
        elif word in (b"PONG", b"pong"):
            self._ponged()
        elif word == b"sunsubscribe" and reply[1].decode() in self._subscribed:
            self._given_up(reply[1].decode())

    def _given_up(self, channel: str) -> None:
        """Its queue has left this node: who asks anew is told where it is."""
        self._subscribed.discard(channel)
        self._confirmed.discard(channel)
        self._changed.set()

    def _ponged(self) -> None:
        if self._pongs and not (pong := self._pongs.pop(0)).done():
            pong.set_result(True)

    def _answered(self, refusal: Exception | None) -> None:
        """The oldest SUBSCRIBE that was not answered is."""
        if not self._asked:  # a PING that was refused: nobody can be sure of having heard all
            self._hang_up_pongs()
            return
        channel = self._asked.popleft()
        if refusal is None:
            if channel in self._subscribed and channel not in self._asked:  # not given up, nor asked again
                self._confirmed.add(channel)
            if self._troubled or channel in self._refused:
                log.info("signals on %s are heard again", channel)
            self._refused.discard(channel)
            self._troubled, self._pause = False, RECONNECT[0]
        elif isinstance(refusal, Redirected):  # to where it is asked for next
            log.debug("signals on %s are another node's: %s", channel, refusal)
        elif channel not in self._refused:
            self._refused.add(channel)
            log.warning("signals on %s are not heard: %s; listeners look for themselves", channel, refusal)
        self._tell(self._listeners.get(channel, ()), None)

    def _tell(self, heards: Any, message: bytes | None) -> None:
        for heard in list(heards):
            try:
                heard(message)
            except Exception:
                log.exception("a listener failed; the others go on")

    def _hang_up(self) -> None:
        self._subscribed.clear()
        self._confirmed.clear()
        self._asked.clear()
        self._hang_up_pongs()

    def _hang_up_pongs(self) -> None:
        pongs, self._pongs = self._pongs, []
        for pong in pongs:
            if not pong.done():
                pong.set_result(False)

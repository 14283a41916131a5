"""A server that Sentinels watch: they are asked where it is at each connection, and listened to for its next move.

What a Sentinel says has an epoch, which each switch increments: one that was cut off and names the former primary is
recognized by its lower number. See "Sentinel clients" in the documentation of Redis for the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.redis.answers import translate
from streamq.redis.link import Link
from streamq.redis.replies import pairs
from streamq.redis.server import Closes, Search, Server
from streamq.redis.subscriber import Subscriber
from streamq.redis.thread_link import ThreadLink
from streamq.redis.watch import Watch
from streamq.settings import Settings
from streamq.settings.location import Location

log = logging.getLogger("streamq.connection")

PORT: Final = 26_379
"""Where a Sentinel listens when the address does not say."""
LOOK: Final = 1.0
"""Seconds between two questions where the primary is: a switch is signalled, but a signal may be lost."""
NAMED: Final = (
    "the Sentinels name that address as the primary's: if it cannot be reached from here, set replica-announce-ip on "
    "the servers, or let it be reached"
)
_NAME: Final = "streamq-sentinel"
_SWITCHED: Final = "+switch-master"


class Sentinel(Server):
    """One Sentinel. It has a login of its own."""

    mode = "sentinel"

    def _login(self, address: Location) -> tuple[str | None, str]:  # noqa: ARG002  # that of the servers is no use here
        return self.settings.sentinel_username, self.settings.secret("sentinel_password")


class Named(NamedTuple):
    """Which server a Sentinel names as the primary, and in which epoch it became it."""

    epoch: int
    host: str
    port: int


class WatchedServer(Server):
    """The primary among the servers that Sentinels watch under one name."""

    def __init__(self, settings: Settings, address: Location) -> None:
        super().__init__(settings, [address])
        self._address = replace(address, through="", hosts=(), service="")
        self._service = address.service
        alone = replace(self._address, db=None, username="", password="")
        places = [replace(alone, host=host, port=port or PORT) for host, port in address.hosts]
        self._sentinels = {place: Sentinel(settings, [place]) for place in places}
        self._primary: Named | None = None
        self._where = self._address
        self._answers = 0
        self._watch = Watch(self._listen_to_each, "streamq-sentinel")

    @property
    def announced(self) -> str:
        """The Sentinels name it."""
        return NAMED

    @property
    def several(self) -> bool:
        """Whoever is named is asked for its role as well: the Sentinel may not know of the last switch."""
        return True

    @property
    def places(self) -> tuple[Location, ...]:
        """The Sentinels, the one that answered last first."""
        return tuple(self._sentinels)

    async def where(self, place: Location, search: Search) -> Location | None:
        """What a Sentinel answers; why it is of no use is told to ``search``."""
        link = Link(self._sentinels[place], _NAME)
        try:
            return self._learned(place, await link.batch(*self._questions), search)
        except Exception as error:
            search.failed(str(place), error)
            return None
        finally:
            await link.close()

    def threaded_where(self, place: Location, search: Search) -> Location | None:
        """The same for a thread."""
        link = ThreadLink(self._sentinels[place], _NAME)
        try:
            link.connect()
            return self._learned(place, link.batch(*self._questions), search)
        except Exception as error:
            search.failed(str(place), error)
            return None
        finally:
            link.close()

    @property
    def _questions(self) -> tuple[tuple[str, ...], ...]:
        """What it knows of the primary; and its address, which names the new one as soon as that is promoted."""
        return (
            ("SENTINEL", "MASTER", self._service),
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service),
        )

    def _learned(self, place: Location, replies: Sequence[Any], search: Search) -> Location | None:
        """Where the answer of a Sentinel leads. Raises ``Rejected`` for one that is none."""
        known = replies[0]
        if isinstance(known, Exception):
            if "No such master" not in str(known):
                raise translate(known, sent=True)
            search.unknown(str(place), f"it watches no server of the name {self._service!r}")
            return None
        if not self._learn(place, _named(*replies)):
            search.passed_over(str(place), "it has not heard of the last switch")
            return None
        return self._where

    def _learn(self, place: Location, named: Named) -> bool:
        """Whether it is no older than what we know. Connections to another server than it names search again."""
        known = self._primary
        if known is not None and named.epoch < known.epoch:
            return False
        if known is not None and (named.host, named.port) != (known.host, known.port):
            log.info("the primary of %s is now %s:%d", self._service, named.host, named.port)
            self.era += 1
        self._primary, self._answers = named, self._answers + 1
        host = f"[{named.host}]" if ":" in named.host else named.host
        self._where = replace(self._address, host=host, port=named.port)
        others = {other: sentinel for other, sentinel in self._sentinels.items() if other != place}
        self._sentinels = {place: self._sentinels[place], **others}
        return True

    def not_found(self, search: Search) -> StreamqError:
        """No Sentinel led to a primary: next time each is believed, as their epochs may have begun anew."""
        self._forget_epoch()
        if str(self._where) in search.unreached:
            search.advised(self.announced)
        return super().not_found(search)

    def _forget_epoch(self) -> None:
        if self._primary is not None:
            self._primary = self._primary._replace(epoch=0)

    # -- hearing of a switch --------------------------------------------------------------------------------

    def opened(self, link: Closes) -> None:
        """As long as there is a connection, one of the Sentinels is listened to."""
        self._watch.opened(link, self.era)

    async def closed(self, link: Closes) -> None:
        """It was dropped; with the last one, listening ends."""
        await self._watch.closed(link)

    async def _listen_to_each(self) -> None:
        while True:
            before = self._answers
            for place in self._sentinels:
                await self._listen_to(place)
            if self._answers == before:
                self._forget_epoch()
            await asyncio.sleep(LOOK)

    async def _listen_to(self, place: Location) -> None:
        """Until that Sentinel is gone, or turns out not to have heard of a switch."""
        sentinel = self._sentinels[place]
        subscriber, asking = Subscriber(sentinel, _NAME), Link(sentinel, _NAME)
        try:
            await subscriber.connect()
            await subscriber.send(("SUBSCRIBE", _SWITCHED))
            while self._learn(place, _named(*await asking.calls(*self._questions))):
                await self._watch.leave(lambda _, era: era != self.era)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await subscriber.receive()
        except Exception as error:  # whatever a Sentinel says
            log.debug("%s is not listened to: %r", place, error)
        finally:
            await subscriber.close()
            await asking.close()


def _named(known: Any, address: Any) -> Named:
    """What a Sentinel says of a primary. Raises ``StreamqError`` when it is no such reply.

    One that leads a switch counts the new epoch at once, but knows the former primary until all replicas follow the new
    one: by then the former may be back, and empty. So the address is asked for by itself.
    """
    told = pairs(known if isinstance(known, list) else [])
    try:
        host, port = address
        return Named(int(told[b"config-epoch"]), host.decode(), int(port))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StreamqError(f"it does not answer as a Sentinel does: {error!r}") from error

"""The server itself: its version and settings, and what our user may do there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from streamq.errors import Rejected, StreamqError
from streamq.model.clock import host_now, to_ms
from streamq.model.keys import GROUP
from streamq.model.server_state import ServerState, state_of, worst_of
from streamq.redis import scripts
from streamq.redis.replies import info_in, pairs
from streamq.redis.server import Server
from streamq.store.access import Access

_KEYLESS: Final = ("TIME", "PING", "MULTI", "EXEC")
_KEYED: Final[dict[str, tuple[str, ...]]] = {
    "DEL": (), "EXISTS": (), "GET": (),
    "HDEL": ("f",), "HEXISTS": ("f",), "HGET": ("f",), "HGETALL": (), "HINCRBY": ("f", "1"), "HKEYS": (),
    "HLEN": (),
    "HMGET": ("f",), "HRANDFIELD": ("1",), "HSCAN": ("0",), "HSET": ("f", "v"), "HSETNX": ("f", "v"),
    "HSTRLEN": ("f",), "LINDEX": ("0",), "LINSERT": ("BEFORE", "v", "v"), "LLEN": (),
    "LPOP": (), "LPOS": ("v",), "LPUSH": ("v",), "LRANGE": ("0", "0"), "LREM": ("0", "v"), "LTRIM": ("0", "1"),
    "PEXPIRE": ("1",), "PTTL": (),
    "RPUSH": ("v",), "SADD": ("v",), "SET": ("v",), "SMEMBERS": (), "SREM": ("v",),
    "UNLINK": (), "XACK": (GROUP, "1-1"), "XADD": ("*", "f", "v"), "XDEL": ("1-1",), "XLEN": (),
    "XPENDING": (GROUP,), "XRANGE": ("-", "+"), "XREVRANGE": ("+", "-"),
    "XTRIM": ("MINID", "1-1"), "ZADD": ("1", "v"), "ZCARD": (),
    "ZCOUNT": ("0", "1"), "ZINCRBY": ("1", "v"), "ZLEXCOUNT": ("-", "+"), "ZMSCORE": ("v",),
    "ZRANGE": ("0", "0"), "ZREM": ("v",), "ZREMRANGEBYSCORE": ("0", "1"), "ZSCAN": ("0",),
    "ZSCORE": ("v",),
}  # fmt: skip
"""Commands that the scripts and the store use, with the arguments after the key."""
_DANGEROUS: Final = {
    "FLUSHALL": ("FLUSHALL",), "CONFIG": ("CONFIG", "SET", "a", "b"), "SHUTDOWN": ("SHUTDOWN",),
}  # fmt: skip
"""Commands that only a user with all rights may run, and that the engine never runs."""
ALL_KEYS: Final = frozenset(_KEYED)
"""The commands that a user without access to the keys lacks."""


class ServerQueries:
    """Queries. They ask the server of the lists of queues and workers."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def ping(self) -> None:
        """A round trip."""
        await self._access.pool.call_home("PING")

    async def read_clock(self) -> None:
        """Set the store's clock by the server's."""
        seconds, micros = await self._access.pool.call_home("TIME")
        self._access.clock.set(int(seconds) * 1000 + int(micros) // 1000)

    async def info(self, server: Server | None = None) -> dict[str, str]:
        """The reply of INFO of a server, by default that of the lists of queues and workers."""
        async with self._access.pool.links() as links:
            return info_in(await links.to(server or self._access.servers.home).call("INFO"))

    async def slots(self, node: Server) -> int | None:
        """How many slots of a cluster have a primary that serves them; ``None`` where it is none."""
        if self._access.servers.is_one:
            return None
        async with self._access.pool.links() as links:
            told = info_in(await links.to(node).call("CLUSTER", "INFO"))
        return int(told.get("cluster_slots_ok", "0"))

    async def state(self) -> ServerState:
        """What INFO says of how the server keeps jobs; nothing where our user may not run it.

        On a cluster, of all nodes that answer. Raises ``Unavailable`` when none does.
        """
        servers = self._access.servers
        each = [servers.home, *[server for server in servers.all if server is not servers.home]]
        told = await asyncio.gather(*map(self._state, each), return_exceptions=True)
        states = [state for state in told if isinstance(state, ServerState)]
        for error in told:
            if isinstance(error, BaseException) and not (states and isinstance(error, StreamqError)):
                raise error
        return worst_of(states)

    async def _state(self, server: Server) -> ServerState:
        asked = to_ms(host_now())
        try:
            info = await self.info(server)
            return state_of(info, (asked + to_ms(host_now())) / 2)
        except Rejected as error:
            if "NOPERM" not in str(error):
                raise
            return state_of({})

    async def types(self, keys: Mapping[str, str], queue: str | None = None) -> dict[str, str]:
        """The type of each key, ``none`` where there is none. Raises ``Rejected`` where our user may not ask for it."""
        async with self._access.pool.links() as links:
            link = links.home if queue is None else links.of(queue)
            said = await link.calls(*[("TYPE", key) for key in keys.values()])
        return {name: each.decode() for name, each in zip(keys, said, strict=True)}

    async def settings(self, *names: str) -> dict[str, str]:
        """The values of its settings. Raises ``Rejected`` where our user may not read them, as is better."""
        reply = await self._access.pool.call_home("CONFIG", "GET", *names)
        return {name.decode(): value.decode("utf-8", "replace") for name, value in pairs(reply).items()}

    async def user(self) -> str | None:
        """The name of our user; ``None`` where it may not ask for it."""
        try:
            return str((await self._access.pool.call_home("ACL", "WHOAMI")).decode())
        except Rejected:
            return None

    async def missing_rights(self, server: Server) -> set[str]:
        """Commands without which nothing works, and which our user may not run on a server."""
        keys = self._access.keys("doctor")
        needed = {name: (name, keys.ready, *rest) for name, rest in _KEYED.items()}
        needed |= {
            "XGROUP": ("XGROUP", "CREATE", keys.ready, GROUP, "0"), "XINFO": ("XINFO", "GROUPS", keys.ready),
            "XREADGROUP": ("XREADGROUP", "GROUP", GROUP, "w", "STREAMS", keys.ready, ">"),
            "SCAN": ("SCAN", "0"), **{name: (name,) for name in _KEYLESS},
        }  # fmt: skip
        if not self._access.servers.is_one:
            needed |= {
                "ASKING": ("ASKING",), "CLUSTER|INFO": ("CLUSTER", "INFO"), "CLUSTER|SHARDS": ("CLUSTER", "SHARDS"),
            }  # fmt: skip
        return await self._refused(needed, server)

    async def missing_rights_of_use(self, server: Server) -> set[str]:
        """Commands without which some things happen late, and which our user may not run on a server."""
        keys, of = self._access.keys("doctor"), "" if self._access.servers.is_one else "S"
        counts = f"{of and 'SHARD'}NUMSUB"
        of_use = {
            f"{of}PUBLISH": (f"{of}PUBLISH", keys.signals, "x"), "PUBSUB": ("PUBSUB", counts, keys.ended),
            f"{of}SUBSCRIBE": (f"{of}SUBSCRIBE", keys.ended), "WAIT": ("WAIT", "0", "0"), "INFO": ("INFO",),
        }  # fmt: skip
        if of:
            of_use["SUNSUBSCRIBE"] = ("SUNSUBSCRIBE", keys.ended)
        return await self._refused(of_use, server)

    async def may_do_everything(self) -> bool:
        """Whether our user may even shut the server down and delete all its data."""
        return not await self._refused(_DANGEROUS, self._access.servers.home)

    async def _refused(self, commands: dict[str, tuple[str, ...]], server: Server) -> set[str]:
        """The names of those commands that our user may not run; none is run."""
        arguments = [part for words in commands.values() for part in (len(words), *words)]
        async with self._access.pool.links() as links:
            places = await scripts.RIGHTS.run(links.to(server), (), *arguments)
        return {list(commands)[place - 1] for place in places}

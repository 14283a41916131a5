"""Workers: their descriptions, and whether they are alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from streamq.errors import Rejected, StreamqError
from streamq.model import codec
from streamq.model.keys import TOGETHER
from streamq.model.names import is_partition
from streamq.model.worker_info import WorkerInfo, WorkerNote
from streamq.model.worker_load import RunningJob, WorkerLoad
from streamq.redis import scripts
from streamq.redis.answers import in_place
from streamq.redis.links import Links
from streamq.redis.replies import clients_in, pairs, raw_name, scores
from streamq.redis.server import Server
from streamq.redis.thread_links import ThreadLinks
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What parsing an entry of the list of workers may raise."""


_WRITTEN: Final = tuple(each.name for each in fields(WorkerInfo) if each.name not in ("load", "asked"))
"""What of a description lies in the list of workers."""


@dataclass(slots=True)
class Beats:
    """What the server says to a beat."""

    counts: dict[str, int | StreamqError] = field(default_factory=dict)
    """By queue the number of beats, or the error."""
    cancels: set[str] = field(default_factory=set)
    """Queues in which active jobs are to end."""
    steered: set[str] = field(default_factory=set)
    """Queues to which something was told, or that have lanes of priorities."""
    lying: set[str] = field(default_factory=set)
    """Queues in which any job waits or runs."""
    asked: str | None = None
    """What is asked of the worker, empty for nothing; ``None`` where it could not tell what it does."""
    seats: dict[str, int] = field(default_factory=dict)
    """By queue the worker's seat in its upkeep, 0 for none, -1 when a better one is free; where they were asked for."""

    def take(self, queue: str, reply: Any, *, seated: bool) -> None:
        """The reply of one queue."""
        if isinstance(reply, StreamqError):
            self.counts[queue] = reply
            return
        self.counts[queue] = int(float(reply[0]))  # a fraction counts beats by others on its behalf
        for told, found in zip((self.cancels, self.steered, self.lying), reply[1:4], strict=True):
            if found:
                told.add(queue)
        if seated:
            self.seats[queue] = reply[4]


class Workers:
    """Commands: workers register, beat and are removed. Queries: their descriptions, and whether they are alive."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._unreadable: dict[bytes, bytes] = {}

    # -- commands -------------------------------------------------------------------------------------------

    def beat(
        self, links: ThreadLinks, worker: str, queues: Sequence[str], *, seat_lasts: float | None = None,
        load: WorkerLoad | None = None,
    ) -> Beats:  # fmt: skip
        """Increment the worker's counter in each of the queues, from its own thread, and tell what it does, where that
        is given. With ``seat_lasts``, in seconds, its seats in their upkeep are renewed."""
        lasts = "" if seat_lasts is None else round(seat_lasts * 1000)
        keys = [self._access.keys(queue) for queue in queues]
        commands = [
            scripts.BEAT.in_full(scripts.BEAT.on(of, seats=of.seats(1, 2)), (worker, lasts)) for of in keys
        ]
        told = (
            [] if load is None else [self._attendance(worker, load)]
        )  # on a cluster, where the list of workers is
        replies = links.commands([*queues, *[TOGETHER] * len(told)], [*commands, *told])
        beats = Beats()
        for queue, reply in zip(queues, replies, strict=False):
            beats.take(queue, reply, seated=seat_lasts is not None)
        if told and not isinstance(replies[-1], StreamqError):
            beats.asked = replies[-1].decode() if replies[-1] else ""
        return beats

    def _attendance(self, worker: str, load: WorkerLoad) -> tuple[Any, ...]:
        keys = scripts.ATTEND.on(None, **self._shared("loads", "asks", "beats"))
        return scripts.ATTEND.in_full(keys, (worker, codec.dumps(load.asdict())))

    async def introduce(self, links: Links, info: WorkerInfo) -> bytes | None:
        """Claim the worker's name and write its description. Returns the entry of another worker that has the name."""
        entry: bytes | None = await links.home.call(*self._introduction(info))
        return entry

    def introduce_again(
        self, links: ThreadLinks, info: WorkerInfo
    ) -> tuple[bytes | StreamqError | None, object | StreamqError]:
        """The same from the worker's own thread, and add its queues to their list. Returns both replies or errors."""
        announced = scripts.NOTE.in_full(
            scripts.NOTE.on(key=self._access.shared.queues), ("SADD", *info.queues)
        )
        introduced, listed = in_place(links.home.batch(self._introduction(info), announced), all_asked=True)
        return introduced, listed

    def _introduction(self, info: WorkerInfo) -> tuple[Any, ...]:
        told = info.described()
        said = {name: told.get(name, getattr(info, name)) for name in _WRITTEN}
        arguments = (info.name, _token_member(info.token), codec.dumps(said))
        return scripts.INTRODUCE.in_full(
            scripts.INTRODUCE.on(all_workers=self._access.shared.workers), arguments
        )

    async def forget(self, worker: str, token: str = "", *, entry: bytes = b"") -> None:
        """Take a worker off the list of workers; with ``token`` or ``entry`` only while the entry there is that one."""
        async with self._access.pool.links() as links:
            seen = entry or (_token_member(token) if token else b"")
            keys = scripts.FORGET.on(None, **self._shared("loads", "asks", "beats"))
            await scripts.FORGET.run(links.home, keys, raw_name(worker), seen)

    async def ask(self, worker: str, ask: str) -> str | None:
        """Ask something of a worker, or nothing any more, and ring its bell; a stop is never taken back.

        Returns what was asked before; ``None`` when there is no such worker.
        """
        async with self._access.pool.links() as links:
            said = await scripts.ASK.run(
                links.home, scripts.ASK.on(None, **self._shared("asks")), raw_name(worker), ask
            )
            if said is None:
                return None
            info = self._worker(raw_name(worker), said[0])
            if info and info.queues:
                keys = self._access.keys(info.queues[0])
                publish = "PUBLISH" if links.is_one else "SPUBLISH"
                with contextlib.suppress(Rejected):  # its next beat hears it
                    await links.of(info.queues[0]).call(publish, keys.signals, f"worker {worker}")
            return str(said[1].decode())

    def _shared(self, *names: str) -> dict[str, str]:
        """The keys of the lists of workers, as scripts name them."""
        shared = self._access.shared
        return {"all_workers": shared.workers, **{name: getattr(shared, name) for name in names}}

    async def vouch(self, links: Links, queue: str, worker: str, seen: bytes) -> bool:
        """Beat on behalf of a worker that cannot, unless its counter has changed from ``seen``."""
        return bool(await scripts.VOUCH.run(links.of(queue), self._access.keys(queue), worker, seen))

    async def vouch_at_home(self, links: Links, worker: str, seen: bytes) -> bool:
        """The same for a worker of many queues, in the list of all workers."""
        keys = scripts.VOUCH.on(None, workers=self._access.shared.beats)
        return bool(await scripts.VOUCH.run(links.home, keys, worker, seen))

    # -- queries --------------------------------------------------------------------------------------------

    async def listed(self, links: Links | None = None) -> list[WorkerInfo]:
        """The descriptions of all workers, by name; one that this version cannot read is logged once and left out.

        A duty asks over its own ``links``: it then needs no connection for ordinary commands.
        """
        call = links.home.call if links else self._access.pool.call_home
        return self.read_list(await call("HGETALL", self._access.shared.workers))

    async def with_loads(self) -> list[WorkerInfo]:
        """The same with what each does now, and what is asked of it."""
        shared = self._access.shared
        names = (shared.workers, shared.loads, shared.asks)
        async with self._access.pool.links() as links:
            said, loads, asks = [
                pairs(each) for each in await links.home.calls(*[("HGETALL", name) for name in names])
            ]
        found = [self._worker(name, raw) for name, raw in said.items()]
        told = [
            replace(
                info,
                load=_load(loads.get(info.name.encode())),
                asked=_asked(asks, info.name),
            )
            for info in found
            if info
        ]
        return sorted(told, key=lambda info: info.name)

    def read_list(self, said: Sequence[bytes], asks: Sequence[bytes] = ()) -> list[WorkerInfo]:
        """The same from what the list of workers has, all of it, and what is asked of them, where that is known."""
        readable = [self._worker(name, raw) for name, raw in pairs(said).items()]
        asked = pairs(asks)
        told = [replace(info, asked=_asked(asked, info.name)) if asked else info for info in readable if info]
        return sorted(told, key=lambda info: info.name)

    async def named(self, queue: str) -> list[str]:
        """Names of workers that beat in a queue, or did until they were lost; the first ten."""
        found = await self._access.pool.call(queue, "ZRANGE", self._access.keys(queue).workers, 0, 9)
        return [name.decode("utf-8", "replace") for name in found]

    def _worker(self, name: bytes, raw: bytes) -> WorkerInfo | None:
        try:
            info = parse_worker(name, raw)
        except UNREADABLE as error:
            if self._unreadable.get(name) != raw:
                shown = name.decode("utf-8", "replace")
                log.warning("the description of worker %s cannot be read (%s): it is left out", shown, error)
            self._unreadable[name] = raw
            return None
        self._unreadable.pop(name, None)
        return info

    async def beats(self, links: Links, queues: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """By queue, the number of beats of each of its workers. Raises the first error of any queue."""
        found: dict[str, dict[str, bytes]] = {}
        for queue, counts in (await self.beats_or_errors(links, queues)).items():
            if isinstance(counts, StreamqError):
                raise counts
            found[queue] = counts
        return found

    async def beats_or_errors(
        self, links: Links, queues: Sequence[str]
    ) -> dict[str, dict[str, bytes] | StreamqError]:
        """The same, with the error of a queue in the place of its counts."""
        if not queues:
            return {}
        names = [self._access.keys(queue).workers for queue in queues]
        replies = await links.commands(queues, [("ZRANGE", name, 0, -1, "WITHSCORES") for name in names])
        return {
            queue: reply if isinstance(reply, StreamqError) else scores(reply)
            for queue, reply in zip(queues, replies, strict=True)
        }

    async def beats_of(
        self, links: Links, workers: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, str], bytes]:
        """The number of beats of these workers, by queue and worker; ``workers`` has the names by queue.

        Workers that are not registered are left out, and so is a queue whose counts cannot be read.
        """
        asked = [queue for queue, names in workers.items() if names]
        if not asked:
            return {}
        commands = [("ZMSCORE", self._access.keys(queue).workers, *workers[queue]) for queue in asked]
        replies = await links.commands(asked, commands)
        return {
            (queue, name): count
            for queue, reply in zip(asked, replies, strict=True)
            if not isinstance(reply, Exception)
            for name, count in zip(workers[queue], reply, strict=True)
            if count is not None
        }

    async def beats_at_home(self, links: Links, workers: Sequence[str]) -> dict[str, bytes]:
        """How often each of these workers has told what it does, without those that never have."""
        if not workers:
            return {}
        counts = await links.home.call("ZMSCORE", self._access.shared.beats, *workers)
        return {name: count for name, count in zip(workers, counts, strict=True) if count is not None}

    async def gone(self, links: Links, server: Server, workers: Sequence[WorkerInfo]) -> set[str]:
        """The names of those of these workers that said by which connection a server knows them, and have it no more.

        One is known by its name too: a restarted server gives the same numbers to other clients. Raises ``Rejected``
        without the right to ask.
        """
        numbers = self._numbers(server, workers)
        if not numbers:
            return set()
        alive = _names_by_id(await links.to(server).call("CLIENT", "LIST", "ID", *numbers.values()))
        return {name for name, number in numbers.items() if alive.get(number) != name}

    def _numbers(self, server: Server, workers: Sequence[WorkerInfo]) -> dict[str, int]:
        """By name, the client ids that these workers have at a server, without those that do not say."""
        is_home = server is self._access.servers.home
        said = {info.name: info.client_at(server.names[0], home=is_home) for info in workers}
        return {name: number for name, number in said.items() if number}

    async def told_and_lost(
        self, links: Links, queue: str, workers: Sequence[WorkerInfo]
    ) -> tuple[list[WorkerInfo], frozenset[str]]:
        """These with what each does now, and the names of those that are not connected to the server of the queue any
        more: none without the right to ask."""
        if not workers:
            return [], frozenset()
        link = links.to(self._access.servers.of(queue))
        numbers = self._numbers(link.server, workers)
        asked = ("HMGET", self._access.shared.loads, *[worker.name for worker in workers])
        listing = [("CLIENT", "LIST", "ID", *numbers.values())] if numbers else []
        if link is links.home or not listing:  # one round trip, or two at once
            replies = await links.home.batch(asked, *listing)
        else:
            own, others = await asyncio.gather(links.home.batch(asked), link.batch(*listing))
            replies = [*own, *others]
        loads, *listed = in_place(replies, all_asked=True)
        if not isinstance(loads, StreamqError):
            workers = [replace(worker, load=_load(raw)) for worker, raw in zip(workers, loads, strict=True)]
        if not listed or isinstance(listed[0], StreamqError):
            return list(workers), frozenset()
        alive = _names_by_id(listed[0])
        lost = frozenset(name for name, number in numbers.items() if alive.get(number) != name)
        return list(workers), lost

    async def client_names(self, links: Links, server: Server | None = None) -> set[str]:
        """The names of all clients of a server, or of each: a worker's connections have its name. Raises ``Rejected``
        as above."""
        servers = self._access.servers.all if server is None else (server,)
        told = await asyncio.gather(*[links.to(each).call("CLIENT", "LIST") for each in servers])
        return {client.get("name", "") for listed in told for client in clients_in(listed)}


def _names_by_id(listed: bytes) -> dict[int, str]:
    return {int(client["id"]): client.get("name", "") for client in clients_in(listed)}


def parse_worker(name: bytes, raw: bytes) -> WorkerInfo:
    """A worker from its entry: another version may have written more members, or fewer.

    Raises one of ``UNREADABLE`` when a member is missing that every version writes.
    """
    said = codec.loads(raw)
    queues = tuple(queue for queue in said["queues"] if isinstance(queue, str) and is_partition(queue))
    return WorkerInfo(
        name=name.decode(), host=str(said.get("host", "")), pid=_whole(said.get("pid")), queues=queues,
        concurrency=_whole(said.get("concurrency")), clients=_clients(said.get("clients")),
        started_at=_time(said["started_at"]),
        version=str(said.get("version", "")), client_id=_whole(said.get("client_id")),
        token=str(said.get("token", "")), lease=_seconds(said.get("lease")), beat=_seconds(said.get("beat")),
        stuck=_seconds(said.get("stuck")), host_id=str(said.get("host_id", "")),
        process_start=_whole(said.get("process_start")),
        overdue=tuple(map(_job, said.get("overdue", ()))),
        notes=tuple(_note(note) for note in said.get("notes", ())),
        schedules=tuple(str(name) for name in said.get("schedules", ())), tasks=_versions(said.get("tasks")),
    )  # fmt: skip


def _clients(said: Any) -> dict[str, int] | None:
    return {str(name): _whole(number) for name, number in said.items()} if isinstance(said, dict) else None


def _job(said: dict[str, Any]) -> RunningJob:
    return RunningJob(str(said["job"]), str(said["queue"]), str(said["task"]), _time(said["since"]))


def _note(said: dict[str, Any]) -> WorkerNote:
    return WorkerNote(str(said["subject"]), str(said["text"]), _time(said["since"]))


def _asked(asks: Mapping[bytes, bytes], name: str) -> str:
    return asks.get(name.encode(), b"").decode("utf-8", "replace")


def _load(raw: bytes | None) -> WorkerLoad | None:
    """What a worker does, as far as it can be read: another program may have written it."""
    try:
        said = codec.loads(raw or b"null")
        return None if said is None else WorkerLoad(
            _time(said["seen_at"]), str(said["state"]), _whole(said["busy"]),
            tuple(map(_job, said["running"])),
            _whole(said["memory"]), _seconds(said["loop_lag"]), _seconds(said["round_trip"]),
        )  # fmt: skip
    except UNREADABLE:
        return None


def _versions(said: Any) -> dict[str, int] | None:
    """The tasks that it says it knows; another program's worker may say anything."""
    return {str(name): _whole(version) for name, version in said.items()} if isinstance(said, dict) else None


def _whole(said: object) -> int:
    return said if isinstance(said, int) and 0 <= said < 2**63 else 0


def _seconds(said: object) -> float:
    return float(said) if isinstance(said, int | float) and 0 < said < 1e9 else 0.0


def _time(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _token_member(token: str) -> bytes:
    """The text by which scripts find a worker's own entry; without a token it matches no entry."""
    return codec.dumps({"token": token})[1:-1]

"""The roster: who the workers are, whether they live, and who does the upkeep of a queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model import codec
from streamq.model.keys import Keys, is_name, queues_key, workers_key
from streamq.model.worker_info import OverdueHandler, WorkerInfo, WorkerNote
from streamq.redis import scripts
from streamq.redis.link import Link, Pool, translate

log = logging.getLogger("streamq.roster")

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading an entry of the list of workers may raise."""


class Claimed(NamedTuple):
    """What came of a claim on a seat (0: none) in the upkeep of a queue."""

    seat: int
    workers: int
    others: bool
    """Whether others stand by; for one who does so itself, whether another of them has looked just now."""


class Roster:
    """Introductions, beats, connections and seats. Methods raise ``Unavailable`` and its kin like the store's."""

    def __init__(self, keys: Callable[[str], Keys], pool: Pool, prefix: str) -> None:
        self._keys, self._pool, self._prefix = keys, pool, prefix
        self._unreadable: dict[bytes, bytes] = {}

    async def workers(self) -> list[WorkerInfo]:
        """What all workers say of themselves, by name; what this version cannot read is logged once and left out."""
        said = await self._pool.call("HGETALL", workers_key(self._prefix))
        readable = [self._worker(name, raw) for name, raw in zip(said[::2], said[1::2], strict=True)]
        return sorted([info for info in readable if info], key=lambda info: info.name)

    def _worker(self, name: bytes, raw: bytes) -> WorkerInfo | None:
        try:
            info = parse_worker(name, raw)
        except UNREADABLE as error:
            if self._unreadable.get(name) != raw:
                shown = name.decode("utf-8", "replace")
                log.warning("what worker %s says of itself cannot be read (%s): it is left out", shown, error)
            self._unreadable[name] = raw
            return None
        self._unreadable.pop(name, None)
        return info

    def beat(self, info: WorkerInfo) -> list[tuple[Any, ...]]:
        """The commands of one beat, for the thread that sends them: it counts one more."""
        return [
            scripts.NOTE.in_full((self._keys(q).workers,), ("ZINCRBY", 1, info.name)) for q in info.queues
        ]

    def introduce(self, info: WorkerInfo) -> tuple[Any, ...]:
        """The command by which a worker claims its name and says who it is; its reply is the entry of another who
        has the name, or ``None``."""
        said = {field.name: getattr(info, field.name) for field in fields(info)} | info.asdict()
        arguments = (info.name, _token_member(info.token), codec.dumps(said))
        return scripts.INTRODUCE.in_full((workers_key(self._prefix),), arguments)

    def announcement(self, queues: Sequence[str]) -> tuple[Any, ...]:
        """The command that puts queues on the list of queues."""
        return scripts.NOTE.in_full((queues_key(self._prefix),), ("SADD", *queues))

    async def strike(self, queue: str) -> None:
        """Take a queue off the list of queues. Who sends to it or serves it puts it there again."""
        await self._pool.call("SREM", queues_key(self._prefix), queue)

    async def forget(self, worker: str, token: str = "", *, entry: bytes = b"") -> None:
        """Take a worker off the list of workers; with ``token`` or ``entry`` only while the entry there is that one."""
        async with self._pool.link() as link:
            seen = entry or (_token_member(token) if token else b"")
            await scripts.FORGET.run(link, (workers_key(self._prefix),), _raw(worker), seen)

    async def beats(self, link: Link, queues: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """By queue, how often each of its workers has beaten. Raises what went wrong in any of the queues."""
        found: dict[str, dict[str, bytes]] = {}
        for queue, counts in (await self.beats_or_errors(link, queues)).items():
            if isinstance(counts, StreamqError):
                raise counts
            found[queue] = counts
        return found

    async def beats_or_errors(
        self, link: Link, queues: Sequence[str]
    ) -> dict[str, dict[str, bytes] | StreamqError]:
        """The same, with what went wrong in a queue in the place of its counts."""
        replies = await link.batch(*[("ZRANGE", self._keys(q).workers, 0, -1, "WITHSCORES") for q in queues])
        return {
            queue: translate(reply, sent=True) if isinstance(reply, Exception) else dict(_named(reply))
            for queue, reply in zip(queues, replies, strict=True)
        }

    async def beats_of(
        self, link: Link, workers: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, str], bytes]:
        """How often these workers have beaten, by queue and worker, for a queue and the workers in it.

        Without those that are not listed, and without a queue in which it cannot be read.
        """
        asked = [(queue, names) for queue, names in workers.items() if names]
        replies = await link.batch(
            *[("ZMSCORE", self._keys(queue).workers, *names) for queue, names in asked]
        )
        return {
            (queue, name): count
            for (queue, names), reply in zip(asked, replies, strict=True)
            if not isinstance(reply, Exception)
            for name, count in zip(names, reply, strict=True)
            if count is not None
        }

    async def vouch(self, link: Link, queue: str, worker: str, seen: bytes) -> bool:
        """Beat on behalf of a worker that cannot, unless its counter is another than ``seen`` by now."""
        return bool(await scripts.VOUCH.run(link, (self._keys(queue).workers,), worker, seen))

    async def claim(
        self, link: Link, queues: Mapping[str, bool], who: str, seats: Sequence[int], seconds: float,
        look: float,
    ) -> dict[str, Claimed | StreamqError]:  # fmt: skip
        """Take or renew the best free seat of each queue's upkeep, for ``seconds``; ``queues`` says where for the
        first time. In ``look`` seconds one look is enough, of all who stand by.

        By queue, or what went wrong in it.
        """
        lasts, within = max(1, int(seconds * 1000)), max(1, int(look * 1000))
        calls = [
            (
                (keys.workers, keys.signals, keys.look(seats[0]), *keys.seats(*seats)),
                (who, lasts, int(queues[keys.queue]), within),
            )
            for keys in map(self._keys, queues)
        ]
        replies = await scripts.CLAIM.run_each(link, calls)
        return {
            queue: reply
            if isinstance(reply, StreamqError)
            else Claimed(seats[reply[0] - 1] if reply[0] else 0, reply[1], bool(reply[2]))
            for queue, reply in zip(queues, replies, strict=True)
        }

    async def vacate(self, link: Link, queues: Sequence[str], who: str) -> None:
        """Give up all seats that ``who`` has in the upkeep of these queues."""
        calls = [(self._keys(queue).seats(1, 2, 3), (_raw(who),)) for queue in queues]
        await scripts.VACATE.run_each(link, calls)

    async def connected(self, link: Link, client_ids: Sequence[int]) -> dict[int, str]:
        """Those of the clients that are connected to the server, with their names: a server that was restarted
        gives the same ids to others. Raises ``Rejected`` without the right to ask."""
        if not client_ids:
            return {}
        listed = await link.call("CLIENT", "LIST", "ID", *client_ids)
        return {int(client["id"]): client.get("name", "") for client in _clients(listed)}

    async def client_names(self, link: Link) -> set[str]:
        """The names of all clients: a worker's connections bear its name. Raises ``Rejected`` likewise."""
        return {client.get("name", "") for client in _clients(await link.call("CLIENT", "LIST"))}


def parse_worker(name: bytes, raw: bytes) -> WorkerInfo:
    """A worker from what it said of itself: another version may have said more, or less.

    Raises one of ``UNREADABLE`` when what every version says is not there.
    """
    said = codec.loads(raw)
    queues = tuple(queue for queue in said["queues"] if isinstance(queue, str) and is_name(queue))
    return WorkerInfo(
        name=name.decode(), host=str(said.get("host", "")), pid=_whole(said.get("pid")), queues=queues,
        concurrency=_whole(said.get("concurrency")), started_at=_time(said["started_at"]),
        version=str(said.get("version", "")), client_id=_whole(said.get("client_id")),
        token=str(said.get("token", "")), lease=_seconds(said.get("lease")), beat=_seconds(said.get("beat")),
        stuck=_seconds(said.get("stuck")), host_id=str(said.get("host_id", "")),
        process_start=_whole(said.get("process_start")),
        overdue=tuple(_overdue(handler) for handler in said.get("overdue", ())),
        notes=tuple(_note(note) for note in said.get("notes", ())),
    )  # fmt: skip


def _overdue(said: dict[str, Any]) -> OverdueHandler:
    return OverdueHandler(str(said["job"]), str(said["queue"]), str(said["task"]), _time(said["since"]))


def _note(said: dict[str, Any]) -> WorkerNote:
    return WorkerNote(str(said["subject"]), str(said["text"]), _time(said["since"]))


def _whole(said: object) -> int:
    return said if isinstance(said, int) and 0 <= said < 2**63 else 0


def _seconds(said: object) -> float:
    return float(said) if isinstance(said, int | float) and 0 < said < 1e9 else 0.0


def _time(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _named(reply: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Members and scores. A name that is not text is a stranger's, and is carried along all the same."""
    for member, score in zip(reply[::2], reply[1::2], strict=True):
        yield member.decode("utf-8", "surrogateescape"), score


def _raw(name: str) -> bytes:
    """The name as the server has it."""
    return name.encode("utf-8", "surrogateescape")


def _token_member(token: str) -> bytes:
    """The text by which the entry of a worker is known to be its own; found in none when it has no token."""
    return codec.dumps({"token": token})[1:-1]


def _clients(listed: bytes) -> list[dict[str, str]]:
    """The lines of CLIENT LIST, each a field by its name."""
    lines = listed.decode("utf-8", "replace").splitlines()
    return [dict(field.split("=", 1) for field in line.split() if "=" in field) for line in lines if line]

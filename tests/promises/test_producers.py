"""Each job asked for is added once: whatever is lost, refused or repeated on the way, and in whatever order."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, Job, OutcomeUnknown, Unavailable

from ..proxy import Proxy
from ..rig import ON_ONE_SERVER
from ..servers import Server, binary_of

FAULTS = ("none", "answer lost", "cut before", "durability refused", "emptied of scripts")
"""What may happen to one flight."""


COMMAND = re.compile(rb"(?:\A|\r\n)\*\d+\r\n\$\d+\r\n(?=[A-Z])")
"""The beginning of a command; what it bears here has no such line."""


async def _answer(server: asyncio.StreamReader, count: int) -> bytes:
    """The replies to so many commands, in however many pieces they come."""
    answer, replies = b"", hiredis.Reader()
    while count and (piece := await server.read(1 << 20)):
        answer += piece
        replies.feed(piece)
        while count and replies.gets() is not False:
            count -= 1
    return answer


async def _flight(client: asyncio.StreamReader) -> tuple[bytes, int]:
    """What comes together, as whole commands, and how many these are; nothing at the end."""
    data, commands, count = b"", hiredis.Reader(), 0
    while piece := await client.read(1 << 20):
        data += piece
        commands.feed(piece)
        while commands.gets() is not False:
            count += 1
        if count == len(COMMAND.findall(data)):
            return data, count
    return b"", 0


class Unreliable(Proxy):
    """Does to each flight that passes what ``faults`` says next; when it has no more to say, nothing."""

    def __init__(self, socket: str, admin: redis.Redis) -> None:
        super().__init__(socket)
        self._admin = admin
        self.faults: deque[str] = deque()
        self.met: list[str] = []

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await self._to_server()
        try:
            while True:
                data, count = await _flight(reader)
                if not data:
                    return
                fault = self.faults.popleft() if b"EVAL" in data and self.faults else "none"
                self.met.append(fault)
                self._admin.execute_command(
                    "ACL", "SETUSER", "default", "-wait" if fault == "durability refused" else "+wait"
                )
                if fault == "emptied of scripts":
                    self._admin.script_flush()
                if fault == "cut before":
                    return
                to_server.write(data)
                answer = await _answer(from_server, count)
                if fault == "answer lost":
                    return
                writer.write(answer)
        except ConnectionError:
            return
        finally:
            to_server.close()


@dataclass
class Stage:
    """A primary with a replica."""

    primary: Server
    admin: redis.Redis


@pytest.fixture
def stage(own_server: Callable[..., Server], server_kind: str, tmp_path: Path) -> Iterator[Stage]:
    binary = binary_of(server_kind)
    assert binary is not None
    primary = own_server(tcp=True, options=["--repl-diskless-sync-delay", "0"])
    primary.stop()
    primary._words += ["--unixsocket", str(primary.socket)]
    primary.start()
    with (
        Server(binary, options=["--replicaof", "127.0.0.1", str(primary.port)]),
        primary.client() as admin,
    ):
        while not admin.execute_command("WAIT", 1, 5000):
            pass
        yield Stage(primary, admin)


@dataclass
class Caller:
    """Enqueues, and repeats what it was told that it may: the latest or an earlier error, also breaking it off."""

    enqueue: Callable[[], Awaitable[Any]]
    choices: Iterator[int]

    async def run(self) -> list[Job[Any]]:
        repeats: list[Callable[[], Awaitable[Any]]] = []
        for choice in self.choices:
            act = repeats[-1 - choice % len(repeats)] if repeats else self.enqueue
            try:
                if not repeats or choice % 3:
                    return list(await act())
                async with asyncio.timeout(choice / 1000):
                    return list(await act())
            except OutcomeUnknown as error:
                repeats.append(error.repeat or self.enqueue)
            except Unavailable:
                assert not repeats, "from an unknown outcome there is no way back to 'nothing was sent'"
            except TimeoutError:
                pass
        raise AssertionError("the choices have no end")


@ON_ONE_SERVER
def test_as_many_jobs_are_added_as_were_asked_for_and_the_ids_are_theirs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("outbox", "orders"):
        monkeypatch.setattr(f"streamq.client.{module}.BATCH", 3)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        totals=st.lists(st.integers(1, 8), min_size=1, max_size=4),
        faults=st.lists(st.sampled_from(FAULTS), max_size=12),
        choices=st.lists(st.integers(0, 30), max_size=20),
        delayed=st.booleans(),
        timeout=st.sampled_from([0.01, 0.08]),
    )
    def holds(
        totals: list[int], faults: list[str], choices: list[int], delayed: bool, timeout: float
    ) -> None:
        stage.admin.flushall()
        asyncio.run(_scenario(stage, totals, faults, choices, delayed=delayed, timeout=timeout))

    holds()


async def _scenario(
    stage: Stage, totals: list[int], faults: list[str], choices: list[int], *, delayed: bool, timeout: float
) -> None:
    """Several callers beside each other, each with jobs of its own, on one queue: they share batches."""
    async with (
        Unreliable(str(stage.primary.socket), stage.admin) as proxy,
        App(redis_url=proxy.url, durability="replica") as app,
    ):
        app.client.store.settings = app.settings.model_copy(update={"enqueue_timeout": timeout})
        proxy.faults.extend(faults)
        payloads = [[100 * caller + n for n in range(total)] for caller, total in enumerate(totals)]
        callers = [
            Caller(
                partial(app.enqueue_many, "q", "t", some, delay=60 if delayed else None),
                chain(choices, repeat(1)),
            )
            for some in payloads
        ]
        async with asyncio.timeout(60):  # a replica of a busy machine may need many of the short waits
            sent = await asyncio.gather(*[caller.run() for caller in callers])
    where = _parked(stage.admin) if delayed else _waiting(stage.admin)
    asked = [payload for some in payloads for payload in some]
    assert where == dict(zip([job.id for jobs in sent for job in jobs], asked, strict=True))
    assert len(where) == len(asked)


def _waiting(admin: redis.Redis) -> dict[str, int]:
    return {entry: json.loads(fields["payload"]) for entry, fields in admin.xrange("sq:{q}:ready")}


def _parked(admin: redis.Redis) -> dict[str, int]:
    assert admin.zcard("sq:{q}:delayed") == admin.hlen("sq:{q}:parked")
    return {
        job: json.loads(sealed.split("\n", 2)[2]) for job, sealed in admin.hgetall("sq:{q}:parked").items()
    }

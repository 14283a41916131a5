"""What people would pick instead, on the same server: enqueue one by one and many, drain, memory per waiting job."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import orjson

from ..cores import WORKER_CORE, pin
from ..figures import Figure, Measured, compared
from ..peer_roster import PEERS, US, NotInstalled, Peer, Start, start_of
from ..process import Child, Gone, reporting
from ..rig import Rig
from ..tasks import message

WARM: Final = 100
"""Jobs enqueued before the time counts."""
SINGLE: Final = 2_000
"""Jobs of a full run enqueued one by one: half a second of the fastest."""


class Taken(NamedTuple):
    """What one run of one side gave: jobs per second, and bytes of the server's memory per waiting job."""

    single: float
    enqueue: float
    drain: float
    memory: float
    about: dict[str, Any]


MEASURES: Final = {
    "single": ("enqueue one by one", "jobs/s"), "enqueue": ("enqueue many", "jobs/s"), "drain": ("drain", "jobs/s"),
    "memory": ("waiting job", "bytes"),
}  # fmt: skip
"""The name of a figure and its unit, by the column of ``Taken``."""
Round = dict[str, Taken]
"""What each side gave, by its name; a peer that failed is not there."""


async def measure(rig: Rig) -> Measured:
    """One row per peer and measure: the ratio is ours to the peer's, of the same rounds."""
    try:
        ours = start_of(US)
    except NotInstalled as error:
        raise Gone(str(error)) from None
    starts, said = _starts(rig)
    if not starts:
        raise Gone("no peer is installed: run `make peers`")
    rounds: list[Round] = []
    for _ in range(rig.of(min(rig.repeat, 3), 1)):
        rounds.append({US.name: await _taken(rig, US, ours)})
        for peer, start in starts.items():
            try:
                rounds[-1][peer.name] = await _taken(rig, peer, start)
            except Gone as error:
                said[peer.name] = str(error)
                rig.say(f"{peer.name}: {error}")
    return [*_figures(rounds), *[_absent(name, why) for name, why in said.items()]]


def _starts(rig: Rig) -> tuple[dict[Peer, Start], dict[str, str]]:
    """How each installed peer starts, and why the others do not."""
    starts: dict[Peer, Start] = {}
    said: dict[str, str] = {}
    for peer in PEERS:
        try:
            starts[peer] = start_of(peer)
        except NotInstalled as error:
            said[peer.name] = str(error)
            rig.say(str(error))
    return starts, said


async def _taken(rig: Rig, peer: Peer, start: Start) -> Taken:
    """Enqueue, weigh, drain. Raises ``Gone``."""
    single = rig.of(SINGLE, SINGLE // 8)
    jobs = WARM + single + rig.of(peer.jobs, peer.jobs // 8)
    payloads = [message(number).model_dump() for number in range(jobs)]
    with (
        tempfile.TemporaryDirectory(prefix="streamq-peer-") as folder,
        (Path(folder) / "log").open("w+b") as log,
    ):
        file = Path(folder) / "payloads"
        file.write_bytes(orjson.dumps(payloads))
        await rig.server.empty()
        try:
            async with asyncio.timeout(_limit(rig)):
                before = await rig.server.memory()
                sending = {"role": "enqueue", "payloads": str(file), "warm": WARM, "single": single}
                async with _child(rig, peer, start, log, **sending) as child:
                    sent = await child.told()
                memory = (await rig.server.memory() - before) / len(payloads)
                async with _child(rig, peer, start, log, role="work", expected=len(payloads)) as child:
                    done = await child.told()
        except Gone as error:
            raise Gone(f"{error}: {_last_line(log)}") from error
        except TimeoutError as error:
            raise Gone(f"a run of {peer.name} took more than {_limit(rig):g} s") from error
        finally:
            await rig.server.empty()
    taken = Taken(
        sent["single"] / sent["single_seconds"], sent["jobs"] / sent["seconds"], done["jobs"] / done["seconds"],
        memory, {**sent, **done},
    )  # fmt: skip
    rig.say(
        f"{peer.name}: one by one {taken.single:,.0f}, many {taken.enqueue:,.0f}, drain {taken.drain:,.0f} jobs/s, "
        f"{taken.memory:.0f} bytes"
    )
    return taken


@asynccontextmanager
async def _child(rig: Rig, peer: Peer, start: Start, log: IO[bytes], **config: Any) -> AsyncIterator[Child]:
    """The adapter in one of its roles, on the worker's core; at the end the server has seen it leave."""
    clients = await rig.server.connections()
    config["url"] = rig.server.url.partition("#")[0]  # what follows is for us alone
    async with reporting(
        start.command, f"{peer.name} {config['role']}", config, cwd=start.folder, log=log
    ) as child:
        pin(child.pid, WORKER_CORE)
        yield child
    while await rig.server.connections() > clients:  # noqa: ASYNC110 - it tells only those who ask
        await asyncio.sleep(0.01)


def _limit(rig: Rig) -> float:
    """Seconds one run of a peer may take."""
    return rig.of(60.0, 20.0)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _figures(rounds: Sequence[Round]) -> list[Figure]:
    return [
        _figure(column, peer, both)
        for column in MEASURES
        for peer in PEERS
        if (both := [(one[US.name], one[peer.name]) for one in rounds if peer.name in one])
    ]


def _figure(column: str, peer: Peer, both: Sequence[tuple[Taken, Taken]]) -> Figure:
    about, (name, unit) = both[-1][1].about, MEASURES[column]
    ours, theirs = ([getattr(side, column) for side in sides] for sides in zip(*both, strict=True))
    note = f"{_version(about['versions'])}: {about['settings']}"
    figure = compared(f"{name}, {peer.name}", unit, ours, theirs, note=note)
    figure.samples["about"] = [theirs.about for _, theirs in both]
    return figure


def _version(versions: dict[str, str]) -> str:
    """The peer's own, which follows its interpreter's."""
    _, (name, number), *_ = versions.items()
    return f"{name} {number}"


def _absent(name: str, why: str) -> Figure:
    return Figure(f"peer {name}", "", math.nan, note=f"not measured: {why}")

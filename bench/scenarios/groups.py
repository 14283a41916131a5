"""Groups: their price beside jobs without one, their turns, and what a call of the gate takes of the server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

import orjson

from streamq import App, State

from ..draining import Drain, ours
from ..figures import Figure, Measured, compared
from ..rig import Rig, until
from ..server import PREFIX
from ..tasks import QUEUE, messages
from .purge import slow_log

LOUD: Final = 100_000
"""Jobs of the loud tenant; the quiet one has ten."""
SHARES: Final = 20_000
"""Of the jobs of 1,000 tenants so many are looked at."""
TENANTS: Final = 1_000
AT_ONCE: Final = 50
"""Groups that are enqueued to side by side."""
PAUSE: Final = 0.004
"""Seconds before each single job: all are idle again."""


async def measure(rig: Rig) -> Measured:
    """The drains take turns with those of jobs without a group."""
    return [
        *await _drains(rig),
        *await _latency(rig),
        *await _quiet(rig),
        *await _weights(rig),
        *await _held(rig),
        *await _alone(rig),
        *await _empty(rig),
    ]


def _grouped(groups: int) -> Callable[[App], Callable[[Any], Awaitable[Any]]]:
    """Sends jobs over so many groups, side by side."""

    def sending(app: App) -> Callable[[Any], Awaitable[Any]]:
        task = app.tasks["count"]

        async def send(payloads: list[Any]) -> None:
            each = len(payloads) // groups
            parts = [payloads[at * each : (at + 1) * each] for at in range(groups)]
            for at in range(0, groups, AT_ONCE):
                some = range(at, min(at + AT_ONCE, groups))
                await asyncio.gather(*(task.options(group=f"{n}").enqueue_many(parts[n]) for n in some))

        return send

    return sending


async def _drains(rig: Rig) -> list[Figure]:
    groups, each = rig.of(10_000, 500), rig.of(100, 40)
    payloads = messages(groups * each)
    found: dict[str, list[Drain]] = {"grouped": [], "plain": []}
    gates = list[float]()
    async with rig.server.configured({"latency-tracking": "yes"}):
        for _ in range(rig.rounds(3)):
            await rig.server.client.config_resetstat()
            found["grouped"].append(await ours(rig, payloads, concurrency=500, sending=_grouped(groups)))
            gates.append(await _slowest(rig))
            found["plain"].append(await ours(rig, payloads, concurrency=500))
            rig.say(f"{found['grouped'][-1].drain:,.0f} against {found['plain'][-1].drain:,.0f} jobs/s")
    grouped, plain = found["grouped"], found["plain"]
    return [
        compared(
            f"drain of {groups:,} groups", "jobs/s", [one.drain for one in grouped], [one.drain for one in plain],
            note=f"{each} jobs each; bare is without groups",
        ),
        compared(
            "Redis CPU per drained job of a group", "µs", [one.drained for one in grouped],
            [one.drained for one in plain],
        ),
        Figure("held job, beyond its payload", "B", median(one.memory for one in grouped) - _size(payloads)),
        Figure("call of the gate, p99", "ms", median(gates) / 1000, note="by the server's histogram"),
    ]  # fmt: skip


def _size(payloads: list[Any]) -> float:
    return sum(len(orjson.dumps(one)) for one in payloads) / len(payloads)


async def _slowest(rig: Rig) -> float:
    """Microseconds of the transactions in which gates were called, at the 99th percentile."""
    told = await rig.server.info("latencystats")
    return float(told["latency_percentiles_usec_exec"]["p99"])


async def _latency(rig: Rig) -> list[Figure]:
    """A job of a group and one without take turns at an idle worker."""
    found: dict[str, list[float]] = {"grouped": [], "plain": []}
    async with rig.app() as app, rig.worker(app, pinned=True) as worker:
        stamp = app.tasks["stamp"]
        sides: dict[str, Any] = {"grouped": stamp.options(group="66338"), "plain": stamp}
        for number in range(-40, rig.of(800, 200)):
            for side, task in sides.items():
                await asyncio.sleep(PAUSE)
                begun = time.monotonic_ns()
                await task.enqueue(number)
                took = ((await worker.stamps(1))[number] - begun) / 1e3
                if number >= 0:
                    found[side].append(took)
    ours_, theirs = median(found["grouped"]), median(found["plain"])
    return [
        Figure(
            "start of a job of a group, median", "µs", ours_, theirs, ours_ / theirs,
            note="bare is without a group", samples=found,
        )
    ]  # fmt: skip


async def _quiet(rig: Rig) -> list[Figure]:
    """A loud tenant has a backlog, and a quiet one comes."""
    loud = rig.of(LOUD, LOUD // 20)
    async with rig.app() as app:
        arrive = app.tasks["arrive"]
        async with rig.worker(app, pinned=True, concurrency=50) as worker:
            await arrive.options(group="loud").enqueue_many([_numbered(n) for n in range(loud)])
            await arrive.options(group="quiet").enqueue_many([_numbered(n) for n in range(loud, loud + 10)])
            await until(lambda: _ran(app), 120.0)
            starts = await worker.starts()
    first = min(starts.values())
    last_quiet = max(starts[n] for n in range(loud, loud + 10))
    before = sum(at < last_quiet for number, at in starts.items() if number < loud)
    seconds = (last_quiet - first) / 1e9
    return [
        Figure(
            "the last of ten jobs of a quiet tenant starts after", "s", seconds,
            note=f"{before:,} of {loud:,} jobs of the loud one came before",
        )
    ]  # fmt: skip


async def _weights(rig: Rig) -> list[Figure]:
    """Tenants of weight 1 to 10 that all wait: the share of each, beside what its weight says."""
    tenants, jobs = rig.of(TENANTS, 100), rig.of(SHARES, 4_000)
    weights = {n: 1 + n % 10 for n in range(tenants)}
    total = sum(weights.values())
    async with rig.app() as app:
        arrive = app.tasks["arrive"]
        for weight in range(1, 11):
            same = [n for n in weights if weights[n] == weight]
            for n in same:
                await app.queue(QUEUE).group(f"{n}").limit(weight=weight)
        more = {n: round(1.5 * jobs * weight / total) + 5 for n, weight in weights.items()}
        for at in range(0, tenants, AT_ONCE):
            await asyncio.gather(*(
                arrive.options(group=f"{n}").enqueue_many([_numbered(i * tenants + n) for i in range(more[n])])
                for n in range(at, min(at + AT_ONCE, tenants))
            ))  # fmt: skip
        async with rig.worker(app, pinned=True, concurrency=20) as worker:
            await until(lambda: _ran(app), 120.0)
            starts = await worker.starts()
    order = sorted(starts, key=lambda number: starts[number])[:jobs]
    got = Counter(weights[number % tenants] for number in order)
    off = [
        got[w] / jobs / (w * sum(x == w for x in weights.values()) / total) - 1
        for w in sorted(set(weights.values()))
    ]
    return [
        Figure(
            f"shares of {tenants:,} tenants of weight 1 to 10, furthest off", "of a share", max(map(abs, off)),
            note=f"by weight, over {jobs:,} jobs",
        )
    ]  # fmt: skip


async def _held(rig: Rig) -> list[Figure]:
    """What a worker sends while jobs are held by a limit, and while there are none."""
    held, seconds = rig.of(100_000, 10_000), rig.of(20.0, 4.0)
    sent = list[float]()
    async with rig.app() as app:
        await app.queue(QUEUE).group("closed").limit(concurrency=1)
        async with rig.worker(app) as _:
            for jobs in (0, held):
                if jobs:
                    await app.tasks["dwell"].options(group="closed").enqueue_many(list(range(jobs)))
                    await asyncio.sleep(1.0)
                before = await rig.server.commands()
                await asyncio.sleep(seconds)
                sent.append((await rig.server.commands() - before) / seconds)
    await rig.server.clear()
    return [
        Figure(
            f"commands with {held:,} held jobs", "1/s", sent[1], sent[0], sent[1] / max(0.1, sent[0]),
            note="bare is with none",
        )
    ]  # fmt: skip


async def _alone(rig: Rig) -> list[Figure]:
    """One group has a million jobs, and no call to the server takes long because of it."""
    jobs = rig.of(1_000_000, 50_000)
    await _in_one(rig, 2_000, 0.1)  # the server reads the scripts
    sending, meanwhile = await _in_one(rig, jobs, rig.of(5.0, 1.0))
    return [
        Figure(f"worst call, sending {jobs:,} jobs to one group", "ms", sending / 1000, note="500 jobs a call"),
        Figure(f"worst call, {jobs:,} jobs in one group", "ms", meanwhile / 1000, note="while a worker runs them"),
    ]  # fmt: skip


async def _in_one(rig: Rig, jobs: int, seconds: float) -> tuple[int, int]:
    """Microseconds of the longest call while they are sent, and while a worker runs them and people look at them."""
    async with rig.app() as app:
        queue, task = app.queue(QUEUE), app.tasks["arrive"].options(group="one")
        async with slow_log(rig) as of_sending:
            sent = await task.enqueue_many([_numbered(n) for n in range(jobs)])
        async with slow_log(rig) as meanwhile, rig.worker(app, pinned=True, concurrency=50) as worker:
            last = sent[-1]
            await last.why()
            await queue.change_priority(last.id, "high")
            await last.cancel()
            await sent[jobs // 2].cancel()
            await queue.group("one").pause(until=0.05)
            await queue.group("one").limit(concurrency=20, rate="100000/s")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await queue.groups()
                await queue.jobs(State.HELD)
                await queue.search("group:one payload.number=1")
                await asyncio.sleep(0.1)
            await worker.starts()  # it ends when they are read
    await rig.server.clear()
    return max(of_sending, default=0), max(meanwhile, default=0)


async def _empty(rig: Rig) -> list[Figure]:
    """Groups of which no job is left, and of which nobody has said anything."""
    groups = rig.of(10_000, 500)
    async with rig.app() as app:
        task = app.tasks["arrive"]
        for at in range(0, groups, AT_ONCE):
            some = range(at, at + AT_ONCE)
            await asyncio.gather(*(task.options(group=f"{n}:{n % 7}").enqueue(_numbered(n)) for n in some))
        async with rig.worker(app) as worker:
            await until(lambda: _ran(app), 120.0)
            await worker.starts()
        found = rig.server.client.scan_iter(match=f"{PREFIX}*:gate*", count=1000)
        left = sorted([str(key.decode()).rpartition("}:")[2] async for key in found])
    await rig.server.clear()
    return [Figure(f"keys that {groups:,} empty groups leave", "", len(left), note=", ".join(left)[:100])]


def _numbered(number: int) -> dict[str, Any]:
    return {"number": number}


async def _ran(app: App) -> bool:
    """Whether all jobs have run."""
    counts = await app.queue(QUEUE).counts()
    return not (counts.waiting or counts.active or counts.held)

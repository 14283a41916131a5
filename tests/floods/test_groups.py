"""Workers, schedulers and the server are killed while the gate is at work: no limit is exceeded, no order is lost, each
job is done, and no slot is left. What has happened is read from a history that handlers have written outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil
import pytest

from streamq import App, StreamqError
from streamq.model.keys import GROUP, Keys

from ..processes import Fleet, kill
from ..rig import ON_ONE_SERVER, QUICK, until
from ..servers import Server

KILLS: Final = int(os.environ.get("STREAMQ_TEST_GROUP_KILLS", "8"))
"""How often somebody is killed; `make kills` does so 200 times."""
SECONDS: Final = 60 if KILLS >= 100 else 3
"""How long a rate is used to the full."""
SETTINGS = {**QUICK, "keep_completed": 1_000_000, "crash_limit": 6}
STARTS, WINDOW = 8, 500
"""Starts of the group ``r`` in as many ms."""
CALL = 5
"""Ms that a call of the gate may take on a busy machine: starts count from its begin, and are delivered at its end."""
LIMITS = {"a": 3, "s1": 1, "s2": 1, "t": 2, "t:1": 1}
"""How many of each may run at once; that of ``a`` is changed all the time, up to this."""
STRICT = ("s1", "s2", "t:1")
GROUPS = ("a", "b", "r", "r", "s1", "s2", "t:1", "t:2", "t:3", "-")
QUEUE_LIMIT = 10
BACKLOG = 60
"""Jobs that wait, about."""


class Run(NamedTuple):
    """One attempt of a job."""

    group: str
    number: int
    start: float
    end: float
    """When it ended, was killed, or another attempt at the same job began."""
    delivered: float
    event: str
    """How it ended: ``end``, ``again``, ``killed`` or ``superseded``: its entry was taken from its worker by hand."""


def runs_of(text: str, killed: dict[int, float]) -> list[Run]:
    """What the history tells. ``killed`` has when each process was."""
    begun: dict[tuple[int, str], list[list[Any]]] = defaultdict(list)  # a process may be given what it lost
    runs: list[list[Any]] = []
    latest: dict[str, list[Any]] = {}
    for line in text.splitlines():
        event, group, number, _, pid, at, delivered = line.split()
        place = (int(pid), number)
        if event == "start":
            if number in latest and latest[number][3] > float(at):  # what it does from now on counts no more
                latest[number][3], latest[number][5] = float(at), "superseded"
            run = [
                group,
                int(number),
                float(at),
                killed.get(int(pid), float("inf")),
                float(delivered),
                "killed",
            ]
            begun[place].append(run)
            latest[number] = run
            runs.append(run)
        else:
            run = begun[place].pop(0)
            if run[5] == "killed":
                run[3], run[5] = float(at), event
    return [Run(*run) for run in runs]


def check_windows(runs: list[Run], most: int, window: int) -> list[float]:
    """In any window of the server's clock there are no more starts than the rate allows. Returns when each was."""
    # two that ran at once may tell of the same delivery: the first of them has lost the job to the other
    starts = sorted({(run.delivered, run.number) for run in runs if run.group == "r" and run.delivered})
    for first, beyond in zip(starts, starts[most:], strict=False):
        its = [run for run in runs if run.group == "r" and first[0] <= run.delivered <= beyond[0]]
        assert beyond[0] - first[0] >= window - CALL, f"{most + 1} starts in {beyond[0] - first[0]} ms: {its}"
    return [delivered for delivered, _ in starts]


def check_orders(runs: list[Run]) -> None:
    """A job of a strict group starts when the one before is done, and they start as they came."""
    for group in STRICT:
        by_number: dict[int, list[Run]] = defaultdict(list)
        for run in runs:
            if run.group == group:
                by_number[run.number].append(run)
        assert list(by_number) == sorted(by_number), f"{group} keeps its order"
        before = 0.0
        for number, its in by_number.items():
            assert its[0].start >= before - 1, f"{number} of {group} began before the one before it was done"
            before = its[-1].end


def check_limits(runs: list[Run]) -> None:
    """At no moment more of a group run than its limit allows, in processes that live."""
    for scope, limit in {**LIMITS, "": QUEUE_LIMIT}.items():
        moments: list[tuple[float, int]] = []
        for run in runs:
            stray = (
                run.group == "-" and run.event == "superseded"
            )  # without a group, it gives its slot up then
            if not stray and (not scope or scope in (run.group, run.group.partition(":")[0])):
                moments += [(run.start, 1), (run.end, -1)]
        now = most = 0
        for _, change in sorted(moments):
            now += change
            most = max(most, now)
        assert most <= limit, f"{most} of {scope or 'the queue'} at once"


class Havoc:
    """Jobs come, and whoever works for them is killed, at random."""

    def __init__(self, app: App, server: Server, fleet: Fleet) -> None:
        self.app, self.server, self.fleet, self.queue = app, server, fleet, app.queue("q")
        self.keys, self.chance = Keys("sq", "q"), random.Random()  # noqa: S311  # not a secret
        self.programs = {
            role: psutil.Process(fleet.run("tests.programs.grouped", role, str(count)).pid)
            for role, count in (("worker", 3), ("scheduler", 1))
        }
        self.killed: dict[int, float] = {}
        self.sent = 0
        self.wrong: list[str] = []
        self.did: Counter[str] = Counter()

    async def limits(self) -> None:
        """They are known before the first job comes."""
        for group, jobs in LIMITS.items():
            await self.queue.group(group).limit(concurrency=jobs)
        await self.queue.limit(concurrency=QUEUE_LIMIT)
        await self.queue.group("r").limit(rate=f"{STARTS}/{WINDOW}ms")

    async def feed(self) -> None:
        """Jobs come while there are few."""
        while True:
            try:
                counts = await self.queue.counts()
            except StreamqError:  # the server was killed
                await asyncio.sleep(0.1)
                continue
            for _ in range(min(20, BACKLOG - counts.held - counts.waiting)):
                group = self.chance.choice(GROUPS)
                fields = (self.sent, self.chance.uniform(0.002, 0.04), self.chance.random() < 0.1)
                payload = dict(zip(("number", "seconds", "fails"), fields, strict=True))
                await self.app.enqueue("q", "work", payload, group=None if group == "-" else group)
                self.sent += 1
            await asyncio.sleep(0.02)

    async def audit(self) -> None:
        """As an auditor does, and far more often: what is right must stay so."""
        store, links = self.app.client.store, self.app.client.store.links()
        try:
            while True:
                with contextlib.suppress(StreamqError):  # the server was killed
                    await store.recovery.audit(links, "q")
                    wrong = await store.accounts.compare(links, "q", mend=True)
                    self.wrong += [str(wrong)] if wrong else []
                await asyncio.sleep(0.05)
        finally:
            await links.close()

    async def kill(self) -> None:
        act = self.chance.choices(("worker", "scheduler", "server", "consumer"), (12, 2, 2, 3))[0]
        self.did[act] += 1
        if act == "server":
            await asyncio.to_thread(self.server.kill)
            await asyncio.to_thread(self.server.start)
        elif act == "consumer":
            with self.server.client() as client:
                known = (
                    client.xinfo_consumers(self.keys.passed, GROUP) if client.exists(self.keys.passed) else []
                )
                for row in self.chance.sample(known, min(1, len(known))):  # none has come to the gate yet
                    client.xgroup_delconsumer(self.keys.passed, GROUP, row["name"])
        else:
            victim = self.chance.choice(await until(self.programs[act].children))
            kill(victim)
            self.killed[victim.pid] = time.time() * 1000
        await asyncio.sleep(self.chance.uniform(0.02, 0.4))

    async def change(self) -> None:
        """Limits are lowered and raised."""
        try:
            await self.queue.group("a").limit(concurrency=self.chance.randint(1, LIMITS["a"]))
            await self.queue.limit(concurrency=self.chance.choice([3, QUEUE_LIMIT]))
        except StreamqError:  # the server was killed
            await asyncio.sleep(0.1)

    async def wreak(self) -> None:
        await self.limits()
        beside = [asyncio.create_task(act()) for act in (self.feed, self.audit)]
        try:
            await until((self.fleet.folder / "history").exists)
            for _ in range(KILLS):
                await self.kill()
                await self.change()
                for task in beside:
                    assert not task.done(), await task
            beside[0].cancel()
            await self.queue.group("a").limit(concurrency=LIMITS["a"])
            await self.queue.limit(concurrency=QUEUE_LIMIT)
            await until(self.all_is_done, 60)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def all_is_done(self) -> bool:
        counts = await self.queue.counts()
        is_idle = not (counts.waiting or counts.active or counts.held or counts.delayed)
        return (
            is_idle and counts.completed + counts.failed >= self.sent
        )  # the last enqueue may not have been answered


@pytest.fixture
def server(own_server: Callable[..., Server]) -> Server:
    return own_server(aof=True)


@pytest.fixture
async def app(server: Server) -> AsyncIterator[App]:
    async with App(redis_url=server.url, **SETTINGS) as app:
        yield app


@pytest.fixture
def fleet(server: Server, fleets: list[Fleet], tmp_path: Path) -> Fleet:
    fleets.append(Fleet(server.url, tmp_path, SETTINGS))
    return fleets[-1]


@ON_ONE_SERVER
async def test_whoever_is_killed_no_limit_is_exceeded_no_order_is_lost_and_no_slot_is_left(
    server: Server, app: App, fleet: Fleet
) -> None:
    havoc = Havoc(app, server, fleet)
    await havoc.wreak()
    runs = runs_of((fleet.folder / "history").read_text(), havoc.killed)
    print(f"{havoc.did}, {havoc.sent} jobs, {len(runs)} runs, wrong: {havoc.wrong}")  # noqa: T201
    check_windows(runs, STARTS, WINDOW)
    check_orders(runs)
    check_limits(runs)
    done = {run.number for run in runs if run.event == "end"}
    assert (await app.queue("q").counts()).failed <= havoc.sent // 100, "those that were killed six times"
    assert len(done) >= havoc.sent - (await app.queue("q").counts()).failed
    assert not havoc.wrong, "an audit finds nothing to mend"
    with server.client() as client:
        keys = havoc.keys
        assert not client.exists(keys.out, keys.used, keys.lines, keys.parked, keys.shut, keys.rested)
        left = set(client.keys(keys.gate + ":*")) - {keys.bell, keys.limits, keys.starts + "group:r"}
        assert not left, "no key of the gate is left but what was told"


@ON_ONE_SERVER
async def test_a_rate_is_used_to_the_full_and_never_exceeded_though_a_worker_is_killed(
    app: App, fleet: Fleet
) -> None:
    history = fleet.folder / "history"
    await app.queue("q").group("r").limit(rate="10/s")
    payloads = [{"number": number, "seconds": 0.005, "fails": False} for number in range(11 * SECONDS)]
    await app.enqueue_many("q", "work", payloads, group="r")
    program = psutil.Process(fleet.run("tests.programs.grouped", "worker", "3").pid)
    await until(history.exists)
    await asyncio.sleep(random.uniform(0.2, 0.8) * SECONDS)  # noqa: S311  # when it is killed is no secret
    victim = random.choice(program.children())  # noqa: S311
    kill(victim)
    killed = {victim.pid: time.time() * 1000}
    await until(lambda: time.time() * 1000 > _begin(history) + SECONDS * 1000, SECONDS + 5)
    starts = check_windows(runs_of(history.read_text(), killed), 10, 1_000)
    in_time = [start for start in starts if start < starts[0] + SECONDS * 1000]
    print(f"{len(in_time)} starts in {SECONDS} s")  # noqa: T201
    assert len(in_time) >= 590 * SECONDS // 600


def _begin(history: Path) -> float:
    return float(history.read_text().split(maxsplit=6)[5])

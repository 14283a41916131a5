"""The worst call of each script, by the server's own clock: milliseconds in which no other command runs."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

from bench.figures import Figure, Measured
from bench.rig import Rig
from bench.tasks import QUEUE
from streamq import State

from .script_cases import FEW_BYTES, GROUP, KEPT_LONG, LARGE, MANY_BYTES, WORKER, Bench, Case, Outcome
from .script_changes import change_cases
from .script_gate import gate_cases
from .script_keeping import keeping_cases
from .script_keys import key_cases
from .script_moving import moving_cases
from .script_partitions import partition_cases
from .script_records import record_cases
from .script_reports import report_cases
from .script_roster import roster_cases
from .script_schedules import schedule_cases
from .script_steering import steering_cases

LISTED: Final = 100_000
"""Calls that the server's log of slow commands holds."""


async def measure(rig: Rig) -> Measured:
    """Each case in some rounds; then of each script the worst call."""
    figures = []
    worst: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for case in cases(rig):
        rounds: list[list[float]] = []
        for _ in range(rig.of(max(3, rig.repeat), 1)):
            async with rig.app(**case.settings) as app:
                bench = Bench(rig, app)
                given = await case.prepare(bench)
                async with _timed(rig) as round_:
                    await case.act(bench, given)
                rounds.append(round_)
            await rig.server.clear()
        figures.append(_figure(case, rounds))
        worst[case.script.partition(" ")[0]].append((figures[-1].value, f"{case.script}, {case.size}"))
        rig.say(f"{case.script}, {case.size}: {figures[-1].value:.2f} ms")
    for script, (milliseconds, call) in sorted((script, max(calls)) for script, calls in worst.items()):
        rig.say(f"worst call of {script:<13} {milliseconds:6.2f} ms  {call}")
    return figures


def _figure(case: Case, rounds: list[list[float]]) -> Figure:
    """Each round makes the same calls. Of each the fastest counts, as others use this machine; of these the slowest."""
    calls = [min(times) for times in zip(*rounds, strict=False)]
    told = f"of {len(calls):,} calls, the median {median(calls):.2f}"
    return Figure(f"{case.script}: {case.size}", "ms", max(calls), note=told, samples={"streamq": calls})


@asynccontextmanager
async def _timed(rig: Rig) -> Any:
    """Milliseconds of each call of a script within the block."""
    client, taken = rig.server.client, list[float]()
    async with rig.server.configured({"slowlog-log-slower-than": "0", "slowlog-max-len": str(LISTED)}):
        await client.slowlog_reset()
        yield taken
        logged = await client.slowlog_get(LISTED)
        taken += [call["duration"] / 1000 for call in logged if call["command"].upper().startswith(b"EVAL")]


def _history(errors: int, size: int) -> bytes:
    error = {"type": "Error", "message": "m", "traceback": "x" * 60 + "\n"}
    error["traceback"] *= size // 61
    return json.dumps({"attempt": errors, "history": [error] * errors}).encode()


async def _settle(bench: Bench, kind: str, entries: list[bytes], body: bytes) -> None:
    due = "60000" if kind == "delayed" else ""
    outcomes = [Outcome(kind, 1, entry, entry.decode(), body, due) for entry in entries]
    await bench.on_links(bench.store.outcomes.settle, {QUEUE: outcomes})


async def _delete_consumer(bench: Bench, count: int, size: int) -> None:
    await bench.active(count, size)
    await bench.client.xgroup_delconsumer(bench.keys.ready, GROUP, WORKER)


async def _delete_entries(bench: Bench, count: int, size: int) -> None:
    ids = await bench.active(count, size)
    await bench.fill(lambda pipe, number: pipe.xdel(bench.keys.ready, ids[number]), count)


async def _settled_after_less_is_kept(bench: Bench, jobs: int, old: int) -> list[bytes]:
    await bench.finished(bench.keys.completed, old, FEW_BYTES)
    return await bench.active(jobs, FEW_BYTES)


async def _listened(bench: Bench) -> list[bytes]:
    heard = asyncio.Event()
    bench.store.signals.of(QUEUE).listen(bench.keys.ended, lambda _: heard.set())
    await heard.wait()
    return await bench.active(1_000, FEW_BYTES)


async def _failed_long_ago(bench: Bench, jobs: int) -> str:
    born = (await bench.client.time())[0] * 1000
    await bench.finished(bench.keys.failures, jobs, FEW_BYTES, letter="f", born=born)
    return f"{born}-{jobs - 1}"


def cases(rig: Rig) -> list[Case]:
    parts = (
        _producing,
        _running,
        _recovering,
        _keeping,
        _looking,
        roster_cases,
        change_cases,
        schedule_cases,
        key_cases,
        steering_cases,
        partition_cases,
        record_cases,
        moving_cases,
        keeping_cases,
        report_cases,
        gate_cases,
    )
    return [case for part in parts for case in part(rig)]


def _producing(rig: Rig) -> list[Case]:
    jobs = rig.of(20_000, 2_000)

    def enqueued(size: int, count: int, **options: Any) -> Callable[[Bench, Any], Awaitable[Any]]:
        async def act(bench: Bench, _: Any) -> None:
            await bench.app.enqueue_many(QUEUE, "count", ["x" * size] * count, **options)

        return act

    return [
        Case("enqueue", f"{jobs:,} x {FEW_BYTES} B", _nothing, enqueued(FEW_BYTES, jobs), {}),
        Case("enqueue", "200 x 64 KB", _nothing, enqueued(65_000, 200), {}),
        Case("enqueue delayed", f"{jobs:,} x {FEW_BYTES} B", _nothing, enqueued(FEW_BYTES, jobs, delay=3600.0), {}),
        Case(
            "requeue", f"the newest of {(failed := rig.of(100_000, 10_000)):,} failed jobs",
            lambda bench: _failed_long_ago(bench, failed),
            lambda bench, job_id: bench.app.queue(QUEUE).retry(job_id), KEPT_LONG,
        ),
    ]  # fmt: skip


def _running(rig: Rig) -> list[Case]:
    old = rig.of(200_000, 20_000)
    small, large = b"c5 1 w\ncount\n\n1\n" + b"x" * FEW_BYTES, b"c5 1 w\ncount\n\n1\n" + b"x" * LARGE
    again = b'count\n{"id":"1-1"}\n' + b"x" * FEW_BYTES

    def settled(kind: str, body: bytes) -> Callable[[Bench, Any], Awaitable[Any]]:
        return lambda bench, entries: _settle(bench, kind, entries, body)

    return [
        Case(
            "fetch", f"asked for 100,000 x {MANY_BYTES:,} B", lambda bench: _joined(bench, 2_000),
            lambda bench, _: bench.on_links(bench.store.delivery.fetch, QUEUE, WORKER, 100_000), {},
        ),
        Case("settle", f"1,000 x {FEW_BYTES} B", lambda b: b.active(1_000, FEW_BYTES), settled("completed", small), {}),
        Case(
            "settle", f"1,000 x {FEW_BYTES} B, 1,000 kept of {old:,}",
            lambda bench: _settled_after_less_is_kept(bench, 1_000, old), settled("completed", small),
            {"keep_completed": 1_000},
        ),
        Case("settle", f"1,000 x {FEW_BYTES} B, one listens", _listened, settled("completed", small), {}),
        Case("settle", "20 x 1 MB", lambda bench: bench.active(20, FEW_BYTES), settled("completed", large), {}),
        Case(
            "settle delayed", f"1,000 x {FEW_BYTES} B",
            lambda bench: bench.active(1_000, FEW_BYTES), settled("delayed", again), {},
        ),
        Case(
            "release", "100,000 x 100 B", lambda bench: bench.active(rig.of(100_000, 5_000), FEW_BYTES),
            lambda bench, ids: bench.on_links(bench.store.delivery.release, QUEUE, [(1, entry) for entry in ids]), {},
        ),
        Case(
            "release", "100 x 1 MB", lambda bench: bench.active(rig.of(100, 10), LARGE),
            lambda bench, ids: bench.on_links(bench.store.delivery.release, QUEUE, [(1, entry) for entry in ids]), {},
        ),
    ]  # fmt: skip


def _recovering(rig: Rig) -> list[Case]:
    def reclaimed(bench: Bench, _: Any) -> Awaitable[Any]:
        return bench.on_links(bench.store.recovery.reclaim, QUEUE, WORKER, None)

    def audited(bench: Bench, _: Any) -> Awaitable[Any]:
        return bench.on_links(bench.store.recovery.audit, QUEUE)

    jobs = rig.of(30_000, 2_000)
    return [
        Case("reclaim", f"10,000 x {FEW_BYTES} B", lambda bench: bench.active(10_000, FEW_BYTES), reclaimed, {}),
        Case(
            "reclaim", "200 x 100 errors of 6 KB",
            lambda bench: bench.active(rig.of(200, 20), FEW_BYTES, _history(100, 6_000)), reclaimed, {},
        ),
        Case("audit", f"{jobs:,} active x {MANY_BYTES:,} B", lambda b: b.active(jobs, MANY_BYTES), audited, {}),
        Case("audit", f"{jobs:,} active x {FEW_BYTES} B", lambda b: b.active(jobs, FEW_BYTES), audited, {}),
        Case(
            "audit", f"{jobs:,} held by nobody x {FEW_BYTES} B",
            lambda bench: _delete_consumer(bench, jobs, FEW_BYTES), audited, {},
        ),
        Case(
            "audit", f"{jobs:,} deleted by hand", lambda bench: _delete_entries(bench, jobs, FEW_BYTES), audited, {}
        ),
    ]  # fmt: skip


def _keeping(rig: Rig) -> list[Case]:
    async def promoted(bench: Bench, _: Any) -> None:
        while (await bench.on_links(bench.store.delayed.promote, [QUEUE], 200))[QUEUE].jobs:
            pass

    def pruned(bench: Bench, _: Any) -> Awaitable[Any]:
        return bench.store.retention.prune(QUEUE)  # type: ignore[no-any-return]

    async def looked(bench: Bench, entry: bytes) -> None:
        await bench.app.queue(QUEUE).get(entry.decode())

    async def one_with_a_history(bench: Bench) -> bytes:
        return (await bench.entries(1, FEW_BYTES, _history(100, 6_000)))[0]

    large = rig.of(200, 20)
    return [
        Case("promote", f"10,000 x {FEW_BYTES} B", lambda bench: bench.parked(10_000, FEW_BYTES), promoted, {}),
        Case("promote", f"{large} x 64 KB", lambda bench: bench.parked(large, 65_000), promoted, {}),
        Case(
            "prune", f"nothing to do, {large} x 1 MB", lambda b: b.finished(b.keys.completed, large, LARGE), pruned,
            KEPT_LONG,
        ),
        Case(
            "prune", f"by age, {large} x 1 MB", lambda b: b.finished(b.keys.completed, large, LARGE, born=1),
            pruned, KEPT_LONG,
        ),
        Case(
            "prune", f"by number, 10,000 x {FEW_BYTES} B",
            lambda bench: bench.finished(bench.keys.completed, 10_000, FEW_BYTES), pruned, {"keep_completed": 10},
        ),
        Case("locate", "a job with 100 errors of 6 KB", one_with_a_history, looked, {}),
    ]  # fmt: skip


def _looking(rig: Rig) -> list[Case]:
    many, large = rig.of(100_000, 10_000), rig.of(200, 20)

    async def completed_since(bench: Bench) -> str:
        await bench.finished(bench.keys.completed, 11_000, FEW_BYTES, born=1)
        return "back0:1-500"

    async def due_together(bench: Bench) -> str:
        await bench.fill(lambda pipe, number: pipe.zadd(bench.keys.delayed, {f"1-{number}": 9e12}), many)
        return f"up9000000000000:1-{many // 2}"

    def page(state: str) -> Callable[[Bench, Any], Awaitable[Any]]:
        return lambda bench, cursor: bench.app.queue(QUEUE).jobs(State(state), limit=200, cursor=cursor)

    async def awaited(bench: Bench, ids: list[bytes]) -> None:
        await bench.app.client.store.jobs.endings(QUEUE, [job_id.decode() for job_id in ids])

    def pruned(bench: Bench, _: Any) -> Awaitable[Any]:
        return bench.store.retention.prune(QUEUE)  # type: ignore[no-any-return]

    return [
        Case("back", "a place that 10,000 jobs have followed", completed_since, page("completed"), KEPT_LONG),
        Case("walk", f"a place among {many:,} of one due time", due_together, page("delayed"), {}),
        Case("look", f"1,000 x {FEW_BYTES} B", lambda b: b.entries(1_000, FEW_BYTES), awaited, {}),
        Case("look", f"{large} x 1 MB", lambda b: b.entries(large, LARGE), awaited, {}),
        Case(
            "prune_ended", f"by age, 10,000 x {FEW_BYTES} B",
            lambda b: b.finished(b.keys.failures, 10_000, FEW_BYTES, letter="f", born=1), pruned, {},
        ),
        Case(
            "sort_failures", f"10,000 x {FEW_BYTES} B of the version before",
            lambda b: b.finished(b.keys.failures, 10_000, FEW_BYTES, letter="f"), pruned, {},
        ),
        Case(
            "adopt", f"{large} x 1 MB of the version before",
            lambda b: b.finished(b.keys.failed, large, LARGE, letter="f"), pruned, {},
        ),
    ]  # fmt: skip


async def _nothing(_: Bench) -> None:
    """An empty queue."""


async def _joined(bench: Bench, count: int) -> None:
    await bench.on_links(bench.store.delivery.join, [QUEUE])
    await bench.entries(count, MANY_BYTES)

"""The scripts of what jobs tell, and of results with a time of their own, at their worst."""

from __future__ import annotations

from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.model.reports import JOBS, PAGE, PAGES
from streamq.store.reports import Report

from .script_cases import FEW_BYTES, LARGE, MANY_BYTES, Bench, Case

PROGRESS = b'[1,1,0.5,"half way",null]'


def report_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many, large = rig.of(JOBS, 1_000), rig.of(200, 20)
    return [
        Case("report", "the progress of 1,000 jobs", _nothing, _told(1_000, 0), {}),
        Case("report", f"full logs of {large} jobs", _nothing, _told(large, PAGES), {}),
        Case("report", "200 jobs, 100 others forgotten", _full, _told(200, 1), {}),
        Case("prune_reports", f"all of {many:,}", _reported(many), _pruned, {}),
        Case("prune_results", f"{large} x 1 MB", _with_times(large, LARGE), _results_pruned, {}),
        Case("prune_results", f"{many:,} x {FEW_BYTES} B", _with_times(many, FEW_BYTES), _results_pruned, {}),
        Case("states", f"of 1,000 x {MANY_BYTES:,} B", lambda b: b.entries(1_000, MANY_BYTES), _looked, {}),
    ]


async def _nothing(_: Bench) -> None:
    """The queue is empty."""


def _told(jobs: int, pages: int) -> Any:
    lines = [b"x" * (PAGE - 100)] * pages

    async def act(bench: Bench, _: Any) -> None:
        reports = [Report(f"2-{number}", PROGRESS, 0, 0, lines) for number in range(jobs)]
        await bench.on_links(bench.store.reports.write, "w.1", {QUEUE: reports})

    return act


def _reported(jobs: int) -> Any:
    async def prepare(bench: Bench) -> None:
        def write(pipe: Any, number: int) -> None:
            pipe.zadd(bench.keys.reports, {f"1-{number}": number})
            pipe.hset(bench.keys.logs, f"1-{number}:0", "1\n[]")

        await bench.fill(write, jobs)

    return prepare


async def _full(bench: Bench) -> None:
    await _reported(JOBS + 1_000)(bench)


async def _pruned(bench: Bench, _: Any) -> None:
    await bench.store.reports.prune(QUEUE)


def _with_times(jobs: int, size: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.finished(bench.keys.completed, jobs, size)
        ids = await bench.client.hkeys(bench.keys.finished)
        await bench.fill(lambda pipe, number: pipe.zadd(bench.keys.results, {ids[number]: 1}), jobs)

    return prepare


async def _results_pruned(bench: Bench, _: Any) -> None:
    await bench.store.results.prune(QUEUE)


async def _looked(bench: Bench, ids: list[bytes]) -> None:
    await bench.store.reports.look(QUEUE, [job_id.decode() for job_id in ids])

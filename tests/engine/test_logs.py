"""What the log tells of jobs: one line for each attempt, and the handlers' own records with the fields of their job."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from streamq import App, Backoff, Fail, JobFilter, Retry, Snooze
from streamq.liveness.recovery import recover
from streamq.model.keys import GROUP, Keys
from streamq.worker.attempt import Attempt

from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER

shop = logging.getLogger("shop")
AT_ONCE = Backoff(0.001, 0.001)
TOOK = r"\d+(\.\d)? m?s"


class Kept(logging.Handler):
    """A handler such as a program has: it keeps records, with the fields of their jobs."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []
        self.addFilter(JobFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, job_id: str, name: str = "streamq.job") -> list[Any]:
        """The records of one job by one logger."""
        return [r for r in self.records if r.name == name and r.__dict__.get("job") == job_id]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """All that is logged from ``info`` on."""
    yield from _attached(logging.INFO)


@pytest.fixture
def all_kept() -> Iterator[Kept]:
    """All that is logged from ``debug`` on."""
    yield from _attached(logging.DEBUG)


def _attached(level: int) -> Iterator[Kept]:
    root, handler = logging.getLogger(), Kept()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


async def ended(app: App, job: Any, state: str = "failed") -> Any:
    """The job's record, once it is in that state."""

    async def look() -> Any:
        record = await job.status()
        return record if record.state == state else None

    return await until(look)


async def act(how: str) -> object:
    """What the handler of the next test does."""
    match how:
        case "completes":
            return None
        case "raises":
            raise ValueError("two\nlines")
        case "asks for a retry":
            raise Retry(after=0.001)
        case "gives up":
            raise Fail("a wrong number")
        case "takes too long":
            await asyncio.sleep(10)
        case "returns what has no JSON form":
            return object()
    return None


ENDS = {
    "completes": ["attempt 1/2 completed in TOOK"],
    "raises": [
        "attempt 1/2 failed after TOOK: ValueError: two lines; again in TOOK",
        "attempt 2/2 failed after TOOK: ValueError: two lines; the job has failed for good",
    ],
    "asks for a retry": [
        "attempt 1/2 asks for a retry after TOOK; again in TOOK",
        "attempt 2/2 asks for a retry after TOOK; the job has failed for good",
    ],
    "gives up": ["attempt 1/2 gave up after TOOK: a wrong number; the job has failed for good"],
    "takes too long": [
        "attempt 1/2 ran out of time: the attempt took longer than its time limit of 0.2 s; again in TOOK",
        "attempt 2/2 ran out of time: .* its time limit of 0.2 s; the job has failed for good",
    ],
    "returns what has no JSON form": [
        "attempt 1/2 ended after TOOK with a result that cannot be stored: .*; the job has failed for good"
    ],
}


async def test_each_attempt_has_one_line_in_the_words_of_its_end(app: App, kept: Kept) -> None:
    app.task(queue="q", name="act", attempts=2, timeout=0.2, backoff=AT_ONCE)(act)
    async with working(app) as worker:
        jobs = {how: await app.enqueue("q", "act", how) for how in ENDS}
        for how, job in jobs.items():
            await ended(app, job, "completed" if how == "completes" else "failed")
    begins, *_, ends = [r for r in kept.records if r.name == "streamq.worker"]
    assert f"{worker.name}: q, 10 at once" in begins.getMessage()
    assert f"{worker.name} has ended" in ends.getMessage()
    assert begins.levelno == ends.levelno == logging.INFO
    for how, lines in ENDS.items():
        told = kept.of(jobs[how].id)
        assert len(told) == len(lines), (how, [r.getMessage() for r in told])
        for number, (record, line) in enumerate(zip(told, lines, strict=True), 1):
            pattern = f"act {jobs[how].id} {line}".replace("TOOK", TOOK)
            assert re.fullmatch(pattern, record.getMessage()), record.getMessage()
            good = line.endswith("for good")
            assert record.levelno == (logging.ERROR if good else logging.INFO)
            assert record.outcome == ("failed" if good else "completed" if how == "completes" else "retry")
            assert (record.queue, record.task, record.attempt, record.attempts) == ("q", "act", number, 2)
            assert (record.worker, record.duration_ms >= 0) == (worker.name, True)
            assert (record.retry_in_s != "") is (record.outcome == "retry")
            assert bool(record.exc_info) is good


async def test_a_payload_that_does_not_fit_a_snooze_and_an_unknown_task_are_told_in_their_own_words(
    app: App, kept: Kept, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q", name="work")
    async def work(number: int) -> None:
        if number == 1:
            raise Snooze(30)

    keys = Keys(prefix, "q")
    async with working(app):
        wrong = client.xadd(keys.ready, {"task": "work", "payload": '"x"', "headers": ""})
        nobody = client.xadd(keys.ready, {"task": "nob\nody", "payload": "1", "headers": ""})
        snoozed = (await work.enqueue(1)).id
        for job_id, said in {
            wrong: "attempt 1/5 could not be run: .*; the job has failed for good",
            nobody: r"attempt 1/1 waits: this worker knows no such task; its jobs wait up to \d+ s for one that does",
            snoozed: f"attempt 1/5 asks for a snooze after {TOOK}; again in 30 s",
        }.items():
            (record,) = await until(lambda job_id=job_id: kept.of(str(job_id)))
            name = r"nob\\nody" if job_id == nobody else "work"
            assert re.fullmatch(f"{name} {job_id} {said}", record.getMessage()), record.getMessage()
        told = {job_id: kept.of(str(job_id))[0].outcome for job_id in (wrong, nobody, snoozed)}
        assert told == {wrong: "failed", nobody: "unknown_task", snoozed: "snoozed"}


async def test_at_debug_a_start_and_the_traceback_of_a_retry_are_told_too(app: App, all_kept: Kept) -> None:
    app.task(queue="q", name="act", attempts=2, backoff=AT_ONCE)(act)
    async with working(app):
        job = await app.enqueue("q", "act", "raises")
        await ended(app, job)
    said = [record.getMessage().split(" ", 2)[2].split(":")[0] for record in all_kept.of(job.id)]
    assert [re.sub(f" after {TOOK}$", "", one) for one in said] == [
        "attempt 1/2 starts", "attempt 1/2 failed", "attempt 1/2 was ended by this error",
        "attempt 2/2 starts", "attempt 2/2 failed",
    ]  # fmt: skip
    assert all_kept.of(job.id)[2].exc_info[1].args == ("two\nlines",)
    others = "\n".join(f"{record.name} {record.getMessage()}" for record in all_kept.records)
    for line in (
        "streamq.connection .* is connected to ", "streamq.runner 1 jobs of q arrive",
        "streamq.settler wrote 1 outcomes", "streamq.promoter 1 delayed jobs of q are due",
    ):  # fmt: skip
        assert re.search(line, others), line


async def test_at_warning_nothing_is_made_for_an_attempt_that_completes(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("streamq.worker.attempt_lines.say", lambda *said, **_: made.append(said))
    for handler in _attached(logging.WARNING):
        app.task(queue="q", name="act")(act)
        async with working(app):
            await (await app.enqueue("q", "act", "completes")).result(5)
        assert not made
        assert not [record for record in handler.records if record.levelno < logging.WARNING]


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_final_failure_reaches_an_error_tracker_with_the_exception_itself(
    app: App, kind: str
) -> None:
    raised: list[Exception] = []

    def ship(number: int) -> None:
        raised.append(ValueError(f"no such order: {number}"))
        raise raised[-1]

    async def ship_later(number: int) -> None:
        ship(number)

    tracker = Kept(logging.ERROR)
    logging.getLogger().addHandler(tracker)
    try:
        app.task(queue="q", name="ship", attempts=2, backoff=AT_ONCE)(ship if kind == "plain" else ship_later)
        async with working(app):
            job = await app.enqueue("q", "ship", 7)
            await ended(app, job)
    finally:
        logging.getLogger().removeHandler(tracker)
    (record,) = tracker.of(job.id)
    assert record.exc_info[:2] == (ValueError, raised[-1])
    names = [frame.name for frame in traceback.extract_tb(record.exc_info[2])]
    assert names == (["ship"] if kind == "plain" else ["ship_later", "ship"])
    assert (record.queue, record.task, record.error) == ("q", "ship", "ValueError: no such order: 7")


async def test_logging_of_the_programs_own_that_raises_changes_no_outcome(
    app: App, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(record: logging.LogRecord) -> bool:
        raise RuntimeError("this filter is broken")

    job_log = logging.getLogger("streamq.job")
    job_log.addFilter(broken)
    try:
        app.task(queue="q", name="act", attempts=1)(act)
        async with working(app):
            await (await app.enqueue("q", "act", "completes")).result(5)
            failed = await ended(app, await app.enqueue("q", "act", "gives up"))
    finally:
        job_log.removeFilter(broken)
    assert failed.error.message == "a wrong number"
    said = capsys.readouterr().err
    assert said.count("this line could not be logged: act ") == 2
    assert "RuntimeError: this filter is broken" in said


async def test_whoever_reclaims_tells_of_the_jobs_and_of_those_that_have_failed_by_it(
    make_app: Callable[..., App], kept: Kept, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    async with make_app(crash_limit=1) as app:
        link = app.client.store.links()
        await app.client.store.delivery.join(link, ("q",))
        ids = [
            client.xadd(keys.ready, {"task": "wo\x1brk", "payload": "1", "headers": ""}) for _ in range(12)
        ]
        client.xreadgroup(GROUP, "w1", {keys.ready: ">"}, count=20)
        await recover(app.client.store, link, "q", "w1", None, "its process ended")
        await link.close()
    assert {r.levelno for r in kept.records if r.name == "streamq.reclaimer"} == {logging.WARNING}
    lost, *failed = [record for record in kept.records if record.name in ("streamq.reclaimer", "streamq.job")]
    first = ", ".join(map(str, ids[:10]))
    assert lost.getMessage() == (
        "worker w1 is lost (its process ended): of its jobs on q 12 failed by crashing too often: "
        f"{first}, ..."
    )
    assert len(failed) == 10
    for record, job_id in zip(failed, ids, strict=False):
        assert (record.levelno, record.__dict__["job"], record.__dict__["outcome"]) == (
            logging.ERROR, job_id, "failed",
        )  # fmt: skip
        assert record.getMessage().startswith(rf"wo\x1brk {job_id} its worker was lost too often")


async def test_what_a_handler_logs_has_the_fields_of_its_job_wherever_it_logs_it(
    app: App, kept: Kept
) -> None:
    @app.task(queue="q", name="pay", attempts=3)
    async def pay(order: int) -> None:
        shop.info("in the handler of %d", order)
        await asyncio.create_task(later(order))
        await asyncio.to_thread(shop.info, "in a thread of %d", order)
        await asyncio.sleep(0.01)
        shop.info("at its end of %d", order)

    async def later(order: int) -> None:
        await asyncio.sleep(0)
        shop.info("in its task of %d", order)

    @app.task(queue="q", name="pack", attempts=3)
    def pack(order: int) -> Any:
        shop.info("in a plain handler of %d", order)
        return later(order)

    async with working(app) as worker:
        jobs = {(task, n): await app.enqueue("q", task, n) for task in ("pay", "pack") for n in range(5)}
        for job in jobs.values():
            await job.result(5)
    for (task, number), job in jobs.items():
        told = kept.of(job.id, "shop")
        assert len(told) == (4 if task == "pay" else 2)
        for record in told:
            assert record.getMessage().endswith(f"of {number}")
            assert (record.queue, record.task, record.attempt, record.attempts) == ("q", task, 1, 3)
            assert (record.worker, record.trace_id, record.outcome) == (worker.name, "", "")


async def test_the_engines_own_lines_are_not_taken_for_those_of_the_job_that_caused_them(
    app: App, all_kept: Kept
) -> None:
    @app.task(queue="q", name="order")
    async def order(number: int) -> None:
        await app.enqueue("other", "anything", number)  # opens a connection

    async with working(app):
        job = await order.enqueue(1)
        await job.result(5)
    names = {record.name for record in all_kept.records if record.__dict__["job"] == job.id}
    assert names == {"streamq.job"}


async def test_an_attempt_that_has_ended_is_forgotten_without_the_garbage_collector(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task has a context that knows the attempt, and the attempt knows its task: one of them lets go."""
    alive: weakref.WeakSet[Attempt] = weakref.WeakSet()
    begin = Attempt.__init__

    def noted(attempt: Attempt, *given: Any) -> None:
        begin(attempt, *given)
        alive.add(attempt)

    monkeypatch.setattr(Attempt, "__init__", noted)
    app.task(queue="q", name="act", attempts=1)(act)

    @app.task(queue="q", attempts=1)
    def plain(number: int) -> Any:
        return asyncio.sleep(0)

    @app.task(queue="q", attempts=1)
    async def waits(number: int) -> None:
        await asyncio.sleep(0.01)

    gc.collect()
    gc.disable()
    try:
        async with working(app):
            jobs = [
                await app.enqueue("q", "act", "completes"),
                await plain.enqueue(1),
                await waits.enqueue(1),
            ]
            for job in jobs:
                await job.result(5)
            await until(lambda: not alive)
    finally:
        gc.enable()


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WRITTEN = {
    f'{{"traceparent":"00-{TRACE}-{SPAN}-01"}}': True,
    f'{{ "x":[1], "traceparent" : "00-{TRACE}-{SPAN}-00", "tracestate":"a=b"}}': True,
    f'{{"attempts":3,"traceparent":"cc-{TRACE}-{SPAN}-01"}}': True,
    f'{{"traceparent":"ff-{TRACE}-{SPAN}-01"}}': False,
    f'{{"traceparent":"00-{"0" * 32}-{SPAN}-01"}}': False,
    f'{{"traceparent":"00-{TRACE.upper()}-{SPAN}-01"}}': False,
    f'{{"x":{{"traceparent":"00-{TRACE}-{SPAN}-01"}}}}': False,
    '{"traceparent":"\\u001b[31m"}': False,
    '{"traceparent":7}': False,
    '{"traceparent"': False,
}


async def test_the_trace_that_a_producer_names_is_in_the_lines_of_its_job(
    app: App, kept: Kept, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q", name="work", attempts=2, backoff=AT_ONCE)
    async def work(number: int) -> None:
        shop.info("working")
        raise ValueError

    async with working(app):
        for headers, traced in WRITTEN.items():
            job_id = client.xadd(
                Keys(prefix, "q").ready, {"task": "work", "payload": "1", "headers": headers}
            )
            told = await until(
                lambda job_id=job_id: [
                    r for r in kept.records if r.__dict__["job"] == job_id and r.levelno == logging.ERROR
                ]
            )
            told += kept.of(str(job_id), "shop")
            expected = (TRACE, SPAN) if traced else ("", "")
            assert {(r.trace_id, r.span_id) for r in told} == {expected}, headers
            assert len(told) >= 3, "it is passed on to the second attempt"

"""Versions of a payload: older jobs are upgraded, newer ones wait for a worker, a renamed task keeps its jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from streamq import App, Backoff, ConfigurationError, InvalidPayload, JobFailed, State, UsageError
from streamq.model.headers import parse_headers
from streamq.model.keys import Keys
from streamq.worker import outcomes

from ..rig import ON_ONE_SERVER, until, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]


class Order(BaseModel):
    """Version 3: version 1 had the whole name, version 2 a first name."""

    number: int
    first: str
    last: str


def upgrade(payload: Any, from_version: int) -> Any:
    if from_version == 1:
        first, _, last = payload.pop("name").partition(" ")
        payload |= {"first": first, "last": last}
    return {"last": "", **payload}


def _first(app: App, name: str = "confirm") -> Any:
    return app.task(queue="q", name=name)(lambda order: order)


def _third(app: App, **policy: Any) -> Any:
    async def confirm(order: Order) -> str:
        return f"{order.first}|{order.last}"

    return app.task(queue="q", version=3, upgrade=upgrade, **policy)(confirm)


async def test_a_job_of_an_older_version_is_upgraded_before_its_payload_is_read(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    async with make_app() as old, make_app() as app:
        task = _third(app)
        first = await _first(old).enqueue({"number": 1, "name": "Ada Lovelace"})
        later = await old.enqueue(
            "q", "confirm", {"number": 1, "name": "Ada Lovelace"}, delay=0.01, attempts=2
        )
        client.xadd(Keys(prefix, "q").ready, {
            "task": "confirm", "payload": '{"number": 2, "first": "Grace"}', "headers": '{"payload_version":2}',
        })  # fmt: skip
        new = await task.enqueue(Order(number=3, first="Alan", last="Turing"))
        records = {job.id: (await job.status()).asdict() for job in (first, new)}
        assert "payload_version" not in records[first.id]
        assert records[new.id]["payload_version"] == 3
        entries = [fields["headers"] for _, fields in client.xrange(Keys(prefix, "q").ready)]
        assert [parse_headers(raw.encode()).get("payload_version") for raw in entries] == [None, 2, 3]
        async with working(app):
            assert await first.result(5) == "Ada|Lovelace"
            assert await later.result(5) == "Ada|Lovelace"
            assert await new.result(5) == "Alan|Turing"
            page = await until(lambda: _completed(app, 4))
    assert {record.result for record in page} == {"Ada|Lovelace", "Grace|", "Alan|Turing"}


async def test_an_older_payload_is_upgraded_at_each_attempt_anew(make_app: Callable[..., App]) -> None:
    seen: list[Any] = []

    async with make_app() as old, make_app() as app:

        @app.task(queue="q", version=2, upgrade=lambda payload, was: (payload, was), backoff=Backoff(0, 0))
        async def work(given: tuple[int, int]) -> tuple[int, int]:
            seen.append(given)
            if len(seen) < 3:
                raise ValueError
            return given

        job = await old.enqueue("q", "work", 7)
        async with working(app):
            assert await _result(app, job.id) == [7, 1]
        assert seen == [(7, 1)] * 3
        assert (await app.queue("q").get(job.id)).payload == 7, "what was sent stays as it was"


async def _completed(app: App, count: int) -> Any:
    items = (await app.queue("q").jobs(State.COMPLETED)).items
    return items if len(items) == count else None


async def test_a_task_without_an_upgrade_reads_older_payloads_as_they_are(app: App) -> None:
    async def add(left: int, right: int = 2) -> int:
        return left + right

    old = App(app.settings)
    async with old:
        job = await old.enqueue("q", "add", {"left": 1})
    task = app.task(queue="q", version=2)(add)
    async with working(app):
        assert await _result(app, job.id) == 3
        assert await (await task.enqueue(5, 6)).result(5) == 11


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"number": "x", "name": "Ada"}, "/number: Input should be a valid integer"),
        ({"number": 1}, "upgrade raised KeyError: 'name'"),
        ([], "upgrade raised TypeError: "),
    ],
)
async def test_a_job_that_no_longer_fits_says_so_with_both_versions(app: App, sent: Any, told: str) -> None:
    async with App(app.settings) as old:
        job = await old.enqueue("q", "confirm", sent)
    _third(app)
    async with working(app):
        record = await until(lambda: _failed(app, job.id))
    assert record.attempt == 1
    assert record.error.type == "InvalidPayload"
    assert record.error.message.startswith(
        "payload of 'confirm' (version 1, the task has version 3) is not valid: "
    )
    assert told in record.error.message


async def test_who_does_not_know_a_task_names_the_version_and_who_knows_it_need_not(
    app: App, make_app: Callable[..., App]
) -> None:
    task = _third(app)
    payload = {"number": 3, "first": "Alan", "last": "Turing"}
    async with make_app() as stranger:
        job = await stranger.enqueue("q", "confirm", payload, payload_version=3)
        assert (await job.status()).payload_version == 3
    jobs = [
        await task.enqueue(Order(**payload), payload_version=3),
        await app.enqueue("q", "confirm", payload, payload_version=3, delay=0.01),
    ]
    async with working(app):
        assert [await each.result(5) for each in jobs] == ["Alan|Turing"] * 2
        assert await _result(app, job.id) == "Alan|Turing"
    acts: list[Callable[[], Any]] = [
        lambda: task.enqueue(payload, payload_version=1),
        lambda: app.enqueue("q", "confirm", payload, payload_version=4),
        lambda: task.options(payload_version=2).enqueue(payload),
    ]
    for act in acts:
        with pytest.raises(UsageError, match=r"its payloads are of version 3: leave it out"):
            await act()


async def test_what_does_not_fit_is_refused_by_enqueue_with_the_version_of_the_task(app: App) -> None:
    with pytest.raises(InvalidPayload, match=r"\(version 3, the task has version 3\)") as refused:
        await _third(app).enqueue({"number": 1})
    assert (refused.value.version, refused.value.task_version) == (3, 3)


async def test_in_a_rollout_a_job_of_a_newer_version_waits_uncharged_for_a_worker_that_knows_it(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outcomes, "UNKNOWN_TASK_WAIT", (0.05, 0.1))
    async with make_app() as old, make_app() as app:
        _first(old)
        job = await _third(app).enqueue(Order(number=3, first="Alan", last="Turing"))
        async with working(old):
            await until(lambda: "version 1 of its task, and its payload is of version 3" in caplog.text)
            record = await until(lambda: _delayed(app, job.id))
            assert (record.attempt, record.crashes, record.payload_version) == (0, 0, 3)
            async with working(app):
                assert await job.result(10) == "Alan|Turing"


async def test_a_newer_version_that_nobody_knows_for_long_fails_with_both_versions(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "UNKNOWN_TASK_WAIT", (0.05, 0.1))
    async with make_app(unknown_task_for=0.1) as old, make_app() as app:
        _first(old)
        job = await _third(app).enqueue(Order(number=3, first="Alan", last="Turing"))
        async with working(old):
            with pytest.raises(JobFailed, match=r"UnknownVersion: .* version 3, .* of version 1$"):
                await job.result(10)


async def test_a_renamed_task_keeps_its_jobs_whatever_their_state(app: App) -> None:
    async with App(app.settings) as old:
        before = _first(old, "send")
        jobs = [await before.enqueue(1), await before.enqueue(2, delay=0.05)]
    renamed = app.task(queue="q", name="deliver", attempts=7, aliases=["send", "send_old"])(
        lambda order: order * 10
    )
    jobs.append(await app.enqueue("q", "send", 3))
    assert [(await app.queue("q").get(job.id)).attempts for job in jobs] == [7, 7, 7]
    assert (await jobs[2].status()).task == "deliver", "what is sent by an old name is sent by the new one"
    async with working(app):
        assert [await _result(app, job.id) for job in jobs] == [
            10,
            20,
            30,
        ]
    assert app.tasks["send"] is app.tasks["deliver"] is renamed


async def _result(app: App, job_id: str) -> Any:
    async def completed() -> Any:
        record = await app.queue("q").get(job_id)
        return record if record.state is State.COMPLETED else None

    return (await until(completed)).result


async def _delayed(app: App, job_id: str) -> Any:
    record = await app.queue("q").get(job_id)
    return record if record.state is State.DELAYED else None


async def _failed(app: App, job_id: str) -> Any:
    record = await app.queue("q").get(job_id)
    return record if record.state is State.FAILED else None


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"version": 0}, "version=0 is not possible: use a whole number from 1"),
        ({"version": "2"}, "version='2' is not possible"),
        ({"upgrade": upgrade}, "nothing to upgrade to version 1: give version= too"),
        ({"version": 2, "upgrade": lambda _payload: None}, "use a plain function, as def upgrade"),
        ({"aliases": "old"}, "write names, as"),
        ({"aliases": ["old", ""]}, "in aliases '' cannot name a task"),
        ({"aliases": ["taken"]}, "two tasks are named 'taken': take it out of the aliases of 'x'"),
        ({"aliases": ["taken_alias"]}, "two tasks are named 'taken_alias'"),
        ({"aliases": ["x"]}, "two tasks are named 'x'"),
        ({"aliases": ["a", "a"]}, "two tasks are named 'a'"),
        ({"name": "taken_alias"}, "two tasks are named 'taken_alias': give one of them name="),
    ],
)
def test_a_version_or_an_alias_that_cannot_be_is_refused_where_the_task_is_declared(
    make_app: Callable[..., App], policy: dict[str, Any], told: str
) -> None:
    app = make_app()
    app.task(name="taken", aliases=("taken_alias",))(lambda x: x)
    with pytest.raises(ConfigurationError, match=told), contextlib.nullcontext():
        app.task(**{"name": "x", **policy})(lambda x: x)
    assert app.tasks.keys() == {"taken", "taken_alias"}

"""What is nested too deep, or has too long a number: refused where it is written, and shown whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from streamq import (
    App,
    Backoff,
    Context,
    InvalidPayload,
    JobFailed,
    JobRecord,
    JSONText,
    Retry,
    Snooze,
    State,
)
from streamq.model import codec
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, census, until, working

BORN = 1_795_449_758_578


def nested(levels: int) -> Any:
    value: Any = "in"
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


def text(levels: int) -> str:
    return "[" * levels + "7" + "]" * levels


@given(st.integers(0, 300), st.text('[]{}"\\ax1', max_size=40))
def test_the_depth_of_json_is_measured_whatever_its_strings_hold(levels: int, said: str) -> None:
    raw = codec.dumps({"said": said * 20, "list": [nested(levels)]} if levels <= 250 else [said])
    assert codec.too_deep(raw) == (198 < levels <= 250)


@pytest.mark.parametrize("long", ["9" * 4301, "[1," + "9" * 20_000 + "]", '{"a":-' + "1" * 4301 + "}"])
def test_a_number_that_python_does_not_read_again_is_noticed(long: str) -> None:
    assert "4,300 digits" in codec.unreadable(long.encode())
    assert codec.unreadable(json.dumps(long).encode()) == "", "as text it is read"
    assert codec.unreadable(long.encode().replace(b"9", b"9,").replace(b"1", b"1,")) == ""


async def _refused(send: Any) -> str:
    with pytest.raises(InvalidPayload) as refused:
        await send
    return str(refused.value)


@ON_ONE_SERVER
async def test_a_payload_that_could_not_be_read_again_is_refused(app: App) -> None:
    @app.task(queue="q")
    async def anything(x: Any) -> None: ...

    @app.task(queue="q")
    async def number(x: int) -> None: ...

    assert "200 levels" in await _refused(anything.enqueue(nested(253)))
    assert "200 levels" in await _refused(app.enqueue("q", "strange", nested(253)))
    assert "200 levels" in await _refused(app.enqueue("q", "strange", JSONText(text(1_000))))
    assert "4,300 digits" in await _refused(number.enqueue(10**4_300))
    assert "4,300 digits" in await _refused(number.enqueue_many([1, 10**4_300]))
    assert (await app.queue("q").counts()).waiting == 0
    job = await anything.enqueue(nested(200))
    assert (await job.status()).payload == nested(200)
    assert (await (await number.enqueue(10**4_299)).status()).payload == 10**4_299


@ON_ONE_SERVER
async def test_a_result_that_could_not_be_shown_fails_its_job(app: App) -> None:
    @app.task(queue="q", attempts=1)
    async def work(levels: int) -> Any:
        return nested(levels) if levels else 10**4_300

    async with working(app):
        assert await (await work.enqueue(200)).result(10) == nested(200)
        for levels, told in ((201, "200 levels"), (253, "200 levels"), (0, "4,300 digits")):
            with pytest.raises(JobFailed, match=told) as failed:
                await (await work.enqueue(levels)).result(10)
            assert failed.value.error_type == "ResultNotStorable"
    await _listed(app, State.COMPLETED, 1)
    await _listed(app, State.FAILED, 3)


async def _listed(app: App, state: State, count: int) -> list[JobRecord]:
    """A page, which can be written in every form: on its own, in a list, in a list of lists."""
    items = (await app.queue("q").jobs(state, limit=200)).items
    said = [item.asdict() for item in items]
    assert json.loads(codec.dumps({"data": said}))
    assert len(items) == count
    return items


DEEP_HISTORY = '{"history":[{"type":"E","message":"m","more":' + text(500) + "}]}"


@ON_ONE_SERVER
@pytest.mark.parametrize("end", ["return", "raise", "retry", "snooze", "unknown"])
async def test_a_job_with_a_history_500_deep_ends_like_any_other(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, end: str
) -> None:
    async with make_app(unknown_task_for=0) as app:
        first = {"retry": Retry(after=0), "snooze": Snooze(0)}.get(end, ValueError("first"))
        errors = [first, ValueError("second"), ValueError("third")]

        @app.task(queue="q", attempts=2, backoff=Backoff(0.01, 0.01))
        async def work(x: int, ctx: Context) -> int:
            if end == "return":
                return x
            raise errors.pop(0)

        name = "nobody" if end == "unknown" else "work"
        entry = client.xadd(Keys(prefix, "q").ready, {"task": name, "payload": "7", "headers": DEEP_HISTORY})
        assert (await _listed(app, State.WAITING, 1))[0].history[0].message == "m"
        async with working(app):
            ended = await until(lambda: _ended(app, entry))
        assert ended.state is (State.COMPLETED if end == "return" else State.FAILED)
        await _listed(app, ended.state, 1)
        census(client, prefix, "q").check()


async def _ended(app: App, job_id: str) -> JobRecord | None:
    record = await app.queue("q").get(job_id)
    return record if record.state in (State.COMPLETED, State.FAILED) else None


STRANGE: dict[str, bytes] = {
    "253 deep": text(253).encode(),
    "1,000 deep": text(1_000).encode(),
    "2,000 deep": text(2_000).encode(),
    "not a number": b'{"a":NaN}',
    "infinity": b"[1e999]",
    "a number of 70 bits": b"[1180591620717411303424]",
    "a number of 5,000 digits": b"9" * 5_000,
    "invalid UTF-8": b'"\xff\xfe"',
    "a lone surrogate": b'"\\ud800"',
    "a name twice": b'{"a":1,"a":2}',
    "2 MB": b'"' + b"x" * 2_000_000 + b'"',
    "an error of 2 MB": b'{"type":"E","message":"' + b"x" * 2_000_000 + b'"}',
    "an error that is deep": b'{"type":"E","message":"m","more":' + text(251).encode() + b"}",
}


@ON_ONE_SERVER
@pytest.mark.parametrize("what", STRANGE)
async def test_what_another_program_stored_is_listed_and_spoils_no_neighbour(
    app: App, client: redis.Redis, prefix: str, what: str
) -> None:
    keys, raw = Keys(prefix, "q"), STRANGE[what]
    born = [f"{BORN}-{number}" for number in range(5)]
    history = b'{"history":[{"type":"E","message":"m","more":' + raw + b"}]}"
    records = {
        born[0]: b"c5 2 w\nt\n\n" + raw + b"\n1", born[1]: b"c5 2 w\nt\n" + history + b"\n8\n" + raw,
        born[2]: b"f5 2 w\nt\n\n" + raw + b"\n1", born[3]: b"f5 2 w\nt\n" + history + b'\n{"type":"X"}\n2',
    }  # fmt: skip
    for job_id, record in records.items():
        client.hset(keys.finished, job_id, record)
    client.rpush(keys.completed, *born[:2])
    client.zadd(keys.failures, dict.fromkeys(born[2:4], BORN))
    client.hset(keys.parked, born[4], b"t\n" + history + b"\n" + raw)
    client.zadd(keys.delayed, {born[4]: BORN})
    client.xadd(keys.ready, {"task": "t", "payload": raw, "headers": history})
    completed = await _listed(app, State.COMPLETED, 2)
    assert completed[0].result == 8
    failed = await _listed(app, State.FAILED, 2)
    assert failed[0].payload == 2
    assert failed[0].error
    assert all(len(codec.dumps(job.error.asdict())) < 40_000 for job in failed)
    for state in (State.DELAYED, State.WAITING):
        await _listed(app, state, 1)
    if "deep" in what and not what.startswith("an error"):
        placed = [completed[1].asdict()["result"], completed[0].asdict()["payload"]]
        assert placed == [codec.TOO_DEEP] * 2 or "2,000" in what

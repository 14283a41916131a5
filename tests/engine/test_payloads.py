"""Payloads that say nothing, and what payloads cost those who hold many."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from streamq import App, InvalidPayload, JobFailed, JSONText, PayloadTooLarge, UsageError

from ..rig import ON_ONE_SERVER, working


class Order(BaseModel):
    number: int


def test_a_task_without_parameters_takes_null_and_no_payload() -> None:
    @App().task
    async def nothing() -> None: ...

    for payload in (None, {}, JSONText("null"), JSONText("{}")):
        assert nothing.arguments(nothing.encode(payload)) == {}
    assert nothing.arguments(b"{}") == {}
    for wrong in (1, [], {"a": 1}, JSONText("[]")):
        with pytest.raises(InvalidPayload, match="takes no payload"):
            nothing.encode(wrong)


def test_parameters_that_all_have_defaults_may_be_left_out_by_null() -> None:
    @App().task
    async def spare(a: int = 1, b: str = "x") -> None: ...

    for payload in (None, {}, JSONText(" null\n"), JSONText("{}")):
        assert spare.arguments(spare.encode(payload)) == {"a": 1, "b": "x"}
    assert spare.arguments(b"null") == {"a": 1, "b": "x"}


@ON_ONE_SERVER
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
async def test_a_model_that_was_never_validated_is_checked_by_the_worker(app: App) -> None:
    @app.task(queue="q")
    async def work(order: Order) -> int:
        return order.number

    made, changed = Order.model_construct(number="many"), Order(number=1)
    changed.number = "many"  # type: ignore[assignment]
    async with working(app):
        for order in (made, changed):
            with pytest.raises(JobFailed, match="number"):
                await (await work.enqueue(order)).result(10)


def test_reading_and_writing_json_does_not_import_pydantic() -> None:
    check = "import sys, streamq.model.codec as c; c.loads(c.dumps({'a': 1})); sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_half_a_million_payloads_take_what_they_are_long() -> None:
    """orjson's own bytes keep a buffer each: 4 KB for 16 bytes."""
    check = (
        "import resource; from streamq import App; app = App(); task = app.task(name='t')(lambda x: x)\n"
        "top = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "task.encode({'number': 0}); app._encode('u', 1); before = top()\n"
        "held = [task.encode({'number': n}) for n in range(20_000)]\n"
        "held += [app._encode('unknown', {'number': n}) for n in range(20_000)]\n"
        "grown = (top() - before) * (1 if __import__('sys').platform == 'darwin' else 1024)\n"
        "assert grown < 20_000_000, grown\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


ARRAY = JSONText('[{"number": 1}, {"number": 2}]')


def test_the_text_of_an_array_is_the_texts_of_its_items() -> None:
    assert [item.text for item in JSONText(f"[1, {10**30}, null]")] == [b"1", str(10**30).encode(), b"null"]
    for wrong in ("{}", "[1", "3"):
        with pytest.raises(UsageError, match=r"no array|cannot be read"):
            list(JSONText(wrong))


@ON_ONE_SERVER
async def test_the_payloads_of_an_array_are_sent_as_if_each_came_by_itself(app: App) -> None:
    @app.task(queue="q")
    async def work(order: Order) -> int:
        return order.number

    @app.task(queue="q")
    async def spare(number: int = 3, more: int = 0) -> int:
        return number

    async with working(app):
        jobs = await app.enqueue_many("q", "work", ARRAY)
        jobs += await app.enqueue_many("q", "spare", JSONText("[null]"))
        assert [await job.result(10) for job in jobs] == [1, 2, 3]
    unknown = await app.enqueue_many("elsewhere", "unknown", ARRAY, delay=60)
    assert [(await job.status()).payload for job in unknown] == [{"number": 1}, {"number": 2}]
    assert await app.enqueue_many("q", "work", JSONText("[]")) == []


@ON_ONE_SERVER
async def test_a_wrong_payload_of_an_array_is_told_as_if_it_came_by_itself_and_none_is_sent(
    make_app: Callable[..., App],
) -> None:
    async with make_app(max_payload=20) as app:

        @app.task(queue="q")
        async def work(order: Order) -> None: ...

        @app.task(queue="q")
        async def note(text: str) -> None: ...

        for name, wrong, error in (
            ("work", '[{"number": 1}, {"number": "many"}]', "number"),
            ("note", f'["a", "{"b" * 19}"]', "21 bytes"),
            ("unknown", f'["a", "{"b" * 19}"]', "21 bytes"),
        ):
            with pytest.raises((InvalidPayload, PayloadTooLarge), match=error):
                await app.enqueue_many("q", name, JSONText(wrong))
        with pytest.raises(InvalidPayload) as told:
            await app.enqueue_many("q", "work", JSONText('[{"number": 1}, {"number": "many"}]'))
        assert told.value.errors[0].pointer == "/1/number"
        assert (await app.queue("q").counts()).waiting == 0


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "text",
    [
        '"\ud800"',
        b'"\xff"',
        b'"\\ud800"',
        "[" * 300 + "]" * 300,
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "1 2",
        "",
    ],
)
async def test_what_cannot_be_a_payload_is_refused_by_itself_and_among_others(
    app: App, text: str | bytes
) -> None:
    @app.task(queue="q")
    async def work(anything: object) -> None: ...

    many = b"[1, " + text + b"]" if isinstance(text, bytes) else f"[1, {text}]"
    for name in ("work", "unknown"):
        with pytest.raises(UsageError):
            await app.enqueue("q", name, JSONText(text))
        with pytest.raises(UsageError):
            await app.enqueue_many("q", name, JSONText(many))
    assert (await app.queue("q").counts()).waiting == 0


@ON_ONE_SERVER
async def test_of_many_payloads_the_wrong_one_is_told_by_its_place(make_app: Callable[..., App]) -> None:
    async with make_app(max_payload=20) as app:

        @app.task(queue="q")
        async def work(order: Order) -> None: ...

        orders = [{"number": 1}] * 17
        for many in ([*orders, {"number": "many"}], JSONText('[{"number": 1}, {"number": "many"}]')):
            with pytest.raises(InvalidPayload) as told:
                await app.enqueue_many("q", "work", many)
            assert told.value.errors[0].pointer in ("/17/number", "/1/number")
        with pytest.raises(PayloadTooLarge) as long:
            await app.enqueue_many("q", "unknown", ["a", "b" * 30])
        assert long.value.place == 1

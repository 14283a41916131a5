"""Payloads that say nothing, and what payloads cost those who hold many."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import BaseModel

from streamq import App, InvalidPayload, JobFailed, JSONText

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

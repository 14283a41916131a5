"""A number that is whole is an integer however it is written, as JSON Schema has it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from streamq import App, JSONText
from streamq.model.whole_numbers import whole_numbers

from ..rig import ON_ONE_SERVER, working


class Tight(BaseModel):
    """As strict as it can be."""

    model_config = ConfigDict(strict=True)
    count: int


@ON_ONE_SERVER
async def test_a_worker_takes_what_a_program_that_does_not_know_the_task_has_sent(app: App) -> None:
    @app.task(name="tight", queue="q")
    async def tight(payload: Tight) -> int:
        return payload.count

    async with App(app.settings) as other:
        job = await other.enqueue("q", "tight", JSONText('{"count": 1e3}'))
        async with working(app):
            assert await job.result(10) == 1000


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("3.0", "3"), ("-3.0", "-3"), ("1e3", "1000"), ("1.5E1", "15"), ("-0.0", "0"), ("3.5", "3.5"), ("7", "7"),
        ("1e300", "1e300"), ("9007199254740993.0", "9007199254740993.0"), ("1e-3", "1e-3"),
        ('"3.0"', '"3.0"'), (r'{"a\"1.0":1.0}', r'{"a\"1.0":1}'), (r'["\\",2.0]', r'["\\",2]'),
        ("[1.0,2.50,null,true]", "[1,2.50,null,true]"), ('{"1.0" : 1.0 }', '{"1.0" : 1 }'),
    ],
)  # fmt: skip
def test_only_whole_numbers_that_are_told_exactly_are_written_otherwise_and_texts_never(
    text: str, whole: str
) -> None:
    assert whole_numbers(text) == whole_numbers(text.encode()) == whole

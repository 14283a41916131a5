"""What enqueue takes: a payload or named fields, and options by their names; anything else is refused at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import redis
from pydantic import BaseModel, ConfigDict

from streamq import App, InvalidPayload, UsageError

from ..rig import ON_ONE_SERVER, census

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]


class Letter(BaseModel):
    to: str = "all"
    text: str = ""


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    to: str


@dataclass
class Point:
    x: int = 0
    y: int = 0


async def letter(message: Letter) -> None: ...
async def loose(message: Open) -> None: ...
async def point(at: Point) -> None: ...
async def plain(payload: dict[str, int]) -> None: ...
async def untyped(payload: Any) -> None: ...
async def several(day: str | None = None, region: str = "eu") -> None: ...
async def nothing() -> None: ...


HANDLERS = (letter, loose, point, plain, untyped, several, nothing)


@pytest.fixture
def tasks(app: App) -> dict[str, Any]:
    """The tasks of the handlers above, by name."""
    return {handler.__name__: app.task(handler) for handler in HANDLERS}


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("dealy", "delay"), ("atempts", "attempts"), ("timeuot", "timeout"), ("durabilty", "durability")],
)
async def test_a_misspelt_option_is_refused_with_the_one_that_is_meant(
    tasks: dict[str, Any], client: redis.Redis, prefix: str, handler: Any, wrong: str, meant: str
) -> None:
    task = tasks[handler.__name__]
    for act in (
        lambda: task.enqueue(**{wrong: 5}),
        lambda: task.enqueue({"to": "x"}, **{wrong: 5}),
        lambda: task.enqueue_many([{"to": "x"}], **{wrong: 5}),
        lambda: task.enqueue(delay=3, **{wrong: 5}),
    ):
        with pytest.raises(UsageError, match=f"'{wrong}' is not an argument of .*did you mean {meant}"):
            await act()
    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        task.options(**{wrong: 5})
    assert not client.keys(f"{prefix}*")


@pytest.mark.parametrize(
    ("name", "args", "named", "arrives"),
    [
        ("letter", (Letter(to="a"),), {}, {"to": "a", "text": ""}),
        ("letter", (), {"to": "a"}, {"to": "a", "text": ""}),
        ("letter", (), {"message": Letter(to="a")}, {"to": "a", "text": ""}),
        ("loose", (), {"to": "a", "colour": "red"}, {"to": "a", "colour": "red"}),
        ("point", (), {"x": 3}, {"x": 3, "y": 0}),
        ("plain", (), {"n": 3}, {"n": 3}),
        ("untyped", (7,), {}, 7),
        ("several", (), {"region": "us"}, {"day": None, "region": "us"}),
        ("several", ("today",), {}, {"day": "today", "region": "eu"}),
        ("several", ("today", "us"), {}, {"day": "today", "region": "us"}),
        ("several", ("today",), {"region": "us"}, {"day": "today", "region": "us"}),
        ("several", ({"region": "us"},), {}, {"day": None, "region": "us"}),
        ("several", (), {}, {"day": None, "region": "eu"}),
    ],
)
async def test_a_payload_is_given_whole_by_name_or_by_place(
    tasks: dict[str, Any], name: str, args: tuple[Any, ...], named: dict[str, Any], arrives: Any
) -> None:
    sent = [
        await tasks[name].enqueue(*args, **named),
        await tasks[name].enqueue(*args, **named, attempts=3),
    ]
    if args or name == "several":
        sent.append(await tasks[name].options(attempts=3).enqueue(*args, **named))
    records = [await job.status() for job in sent]
    assert [record.payload for record in records] == [arrives] * len(sent)
    assert [record.attempts for record in records] == [5, 3, 3][: len(sent)]


async def test_a_field_that_there_is_not_is_an_error_and_adds_nothing(
    tasks: dict[str, Any], client: redis.Redis, prefix: str
) -> None:
    with pytest.raises(
        UsageError, match=r"'colour' is not an argument of letter\.enqueue: it takes at, attempts"
    ):
        await tasks["letter"].enqueue(to="a", colour="red")
    with pytest.raises(InvalidPayload, match="/colour"):
        await tasks["several"].enqueue(day="today", colour="red")
    with pytest.raises(UsageError, match="'to' is not an argument"):
        await tasks["letter"].enqueue(Letter(), to="a")
    for args, fields in ((("a", "b", "c"), {}), (("a",), {"day": "b"})):
        with pytest.raises(TypeError, match="more values than parameters: day, region"):
            await tasks["several"].enqueue(*args, **fields)
    assert not census(client, prefix, "default").places


async def test_options_hold_for_all_that_is_sent_with_them(tasks: dict[str, Any]) -> None:
    later = tasks["letter"].options(delay=3600, attempts=2)
    jobs = [await later.enqueue(Letter()), *await later.enqueue_many([Letter(), Letter()])]
    records = [await job.status() for job in jobs]
    assert {(record.state.value, record.attempts) for record in records} == {("delayed", 2)}
    assert repr(later) == "<Task 'letter' on queue 'default'>.options(delay=3600, attempts=2)"

"""What enqueue takes: a payload or named fields, and options by their names; anything else is refused at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import redis
from pydantic import BaseModel, ConfigDict

from streamq import App, FieldsTask, UsageError

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


DAILY = {"n": 1}


async def letter(message: Letter) -> None: ...
async def loose(message: Open) -> None: ...
async def point(at: Point) -> None: ...
async def daily(payload: dict[str, int] = DAILY) -> None: ...
async def untyped(payload: Any) -> None: ...
async def several(day: str | None = None, region: str = "eu") -> None: ...
async def parts(first: dict[str, int], second: int = 0) -> None: ...
async def nothing() -> None: ...


HANDLERS = (letter, loose, point, daily, untyped, several, parts, nothing)


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
    ):
        with pytest.raises(UsageError, match=f"'{wrong}' is not an argument of .*did you mean {meant}"):
            await act()
    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        task.options(**{wrong: 5})
    with pytest.raises(UsageError, match=f"^{meant}=\\[\\] is not possible"):
        task.options(**{meant: []})
    assert not client.keys(f"{prefix}*")


@pytest.mark.parametrize(
    ("name", "args", "named", "arrives"),
    [
        ("letter", (Letter(to="a"),), {}, {"to": "a", "text": ""}),
        ("letter", ({"to": "a"},), {}, {"to": "a", "text": ""}),
        ("letter", (), {"message": Letter(to="a")}, {"to": "a", "text": ""}),
        ("loose", ({"to": "a", "colour": "red"},), {}, {"to": "a", "colour": "red"}),
        ("untyped", (7,), {}, 7),
        ("daily", (), {}, {"n": 1}),
        ("several", (), {"region": "us"}, {"day": None, "region": "us"}),
        ("several", ("today",), {}, {"day": "today", "region": "eu"}),
        ("several", ("today", "us"), {}, {"day": "today", "region": "us"}),
        ("several", ("today",), {"region": "us"}, {"day": "today", "region": "us"}),
        ("several", (), {}, {"day": None, "region": "eu"}),
        ("parts", ({"a": 1},), {}, {"first": {"a": 1}, "second": 0}),
        ("nothing", (), {}, None),
    ],
)
async def test_a_payload_is_given_by_place_or_by_name_and_options_apart(
    tasks: dict[str, Any], name: str, args: tuple[Any, ...], named: dict[str, Any], arrives: Any
) -> None:
    task = tasks[name]
    if isinstance(task, FieldsTask):
        sent = [await task.enqueue(*args, **named), await task.options(attempts=3).enqueue(*args, **named)]
    else:
        sent = [await task.enqueue(*args, **named), await task.enqueue(*args, **named, attempts=3)]
    records = [await job.status() for job in sent]
    assert [record.payload for record in records] == [arrives] * 2
    assert [record.attempts for record in records] == [5, 3]


async def test_what_is_neither_payload_nor_option_is_an_error_that_says_what_to_write(
    tasks: dict[str, Any], client: redis.Redis, prefix: str
) -> None:
    letter, several = tasks["letter"], tasks["several"]
    for act, said in (
        (lambda: letter.enqueue(to="a", colour="red"), "'colour' is not an argument of letter.enqueue: it takes at"),
        (lambda: letter.enqueue(to="a"), r"a payload is one value: letter\.enqueue\({\"to\": …}\)"),
        (lambda: letter.enqueue(Letter(), to="a"), "'to' is not an argument of letter.enqueue: it takes at"),
        (lambda: letter.enqueue(delay=5), r"has no payload: write letter.enqueue\(message\)"),
        (lambda: letter.options(delay=5).enqueue(), r"has no payload: write letter.enqueue\(message\)"),
        (lambda: tasks["point"].enqueue(at=Point()), r"has no payload: write point.enqueue\(at\)"),  # an option's name
        (lambda: letter.enqueue(Letter(), tags=["a"]), "'tags' is reserved for an option"),
        (lambda: several.enqueue(day="today", colour="red"), "/colour"),
        (lambda: several.enqueue(day="today", delay=5), r"options are not fields. Write several.options\(delay=…\)"),
        (lambda: several.enqueue(day="today", parent=3), "'parent' is reserved for an option"),
        (lambda: several.enqueue(dya="today"), "/dya"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            await act()
    for args, fields in ((("a", "b", "c"), {}), (("a",), {"day": "b"})):
        with pytest.raises(TypeError, match="more values than parameters: day, region"):
            await several.enqueue(*args, **fields)
    assert not census(client, prefix, "default").places


async def test_options_hold_for_all_that_is_sent_with_them(tasks: dict[str, Any]) -> None:
    later = tasks["letter"].options(delay=3600, attempts=2)
    jobs = [await later.enqueue(Letter()), *await later.enqueue_many([Letter(), Letter()])]
    records = [await job.status() for job in jobs]
    assert {(record.state.value, record.attempts) for record in records} == {("delayed", 2)}
    assert (await (await tasks["daily"].options(attempts=2).enqueue()).status()).payload == DAILY
    assert repr(later) == "<Task 'letter' on queue 'default'>.options(delay=3600, attempts=2)"

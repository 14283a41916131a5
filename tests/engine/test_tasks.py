"""Declaring tasks: what is wrong is told where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from streamq import App, ConfigurationError, Context, NotOpen, Task, UsageError


class Letter(BaseModel):
    to: str


class Opaque:
    pass


def _starred(*x: int) -> None: ...
def _keywords(**x: int) -> None: ...
def _positional(x: int, y: int, /) -> None: ...
def _option(x: int, delay: int) -> None: ...
def _opaque(x: Opaque) -> None: ...
def _opaque_result(x: int) -> Opaque: ...
def _unresolved(x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (_starred, "x"),
        (_keywords, "x"),
        (_positional, "x"),
        (_option, "delay"),
        (_opaque, "Opaque"),
        (_opaque_result, "Opaque"),
        (_unresolved, "Missing"),
    ],
)
def test_a_handler_whose_payload_cannot_be_sent_is_refused(handler: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        App().task(handler)


@pytest.mark.parametrize(
    "policy", [{"attempts": 0}, {"timeout": 0}, {"timeout": -1}, {"name": "a\nb"}, {"name": "a" * 201}]
)
def test_an_impossible_policy_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        App().task(**policy)(lambda x: x)


def test_two_tasks_of_one_name_are_refused() -> None:
    app = App()
    app.task(name="a")(lambda x: x)
    with pytest.raises(ConfigurationError, match="two tasks are named 'a'"):
        app.task(name="a")(lambda x: x)


def test_a_task_knows_its_policy_and_its_schema_and_can_be_called_as_it_is() -> None:
    app = App()

    @app.task(queue="mail", attempts=2, timeout=9)
    def post(letter: Letter, ctx: Context) -> int:
        return len(letter.to)

    assert isinstance(post, Task)
    assert (post.name, post.queue, post.attempts, post.timeout) == ("post", "mail", 2, 9)
    assert post.schema()["required"] == ["to"]
    assert app.tasks == {"post": post}
    assert post(Letter(to="abc"), None) == 3


async def test_what_needs_an_open_app_says_so() -> None:
    app = App(redis_url="unix:///nonexistent/s")
    for act in (app.ping, app.queues, app.workers, app.wait_ready):
        with pytest.raises(NotOpen):
            await act()
    async with app:
        with pytest.raises(UsageError, match="open"):
            app.with_settings(app.settings)

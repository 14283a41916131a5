"""A wrong schedule is refused with what is allowed, where it is declared and where it is made, and nothing is kept."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Calendar,
    ConfigurationError,
    InvalidPayload,
    InvalidSchedule,
    ScheduleNotFound,
    UsageError,
)

from ..rig import ON_ONE_SERVER

HOURLY: dict[str, Any] = {"task": "work", "queue": "q", "every": "1h"}


@ON_ONE_SERVER
async def test_a_wrong_schedule_is_refused_with_what_is_allowed_and_nothing_is_kept(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def work(number: int) -> None: ...

    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"cron": "61 * * * *"}, InvalidSchedule, "cron: its minute is not possible: write five fields"),
        ({"every": 5, "zone": "Europe/Berln"}, InvalidSchedule, "zone: .* did you mean Europe/Berlin"),
        ({}, InvalidSchedule, "give one of cron, every and at"),
        ({"every": 0.5}, InvalidSchedule, "it must be from 1 to 366d"),
        ({"every": -5}, InvalidSchedule, "it must be from 1 to 366d"),
        ({"at": datetime(2030, 1, 1)}, InvalidSchedule, "it has no time zone"),
        ({"every": 5, "misfire": "never"}, InvalidSchedule, "use one of skip, once, all"),
        ({"every": 5, "overlap": "never"}, InvalidSchedule, "use one of skip, queue, allow"),
        ({"every": 5, "misfire_limit": 0}, InvalidSchedule, "use a whole number from 1 to 1,000"),
        ({"every": 5, "calendar": "DE"}, InvalidSchedule, "is no Calendar"),
        ({"every": 5, "calendar": Calendar("ZZ")}, InvalidSchedule, "there are no holidays of 'ZZ'"),
        ({"every": 5, "queue": "a b"}, InvalidSchedule, "queue: 'a b' is no name"),
        ({"evry": 5}, UsageError, "did you mean every?"),
        ({"every": 5, "payload": "x"}, InvalidPayload, "valid integer"),
        ({"every": 5, "task": "nobody"}, UsageError, "no task 'nobody' is registered here"),
    ]
    for given, kind, said in wrong:
        with pytest.raises(kind, match=said):
            await app.schedules.put("s", **{"task": "work", "payload": 1, **given})
    for name in ("a/b", ".", ".."):  # a browser takes the last two out of a path
        with pytest.raises(InvalidSchedule, match=f"name: '{re.escape(name)}' is no name"):
            await app.schedules.put(name, **HOURLY, payload=1)
    assert not client.keys(f"{prefix}*schedules")
    for act in (
        app.schedules.get,
        app.schedules.remove,
        app.schedules.pause,
        app.schedules.resume,
        app.schedules.run,
    ):
        with pytest.raises(ScheduleNotFound, match="there is no schedule 'nope'"):
            await act("nope")


@ON_ONE_SERVER
async def test_odd_names_versions_and_reasons_are_refused_as_what_they_are(app: App) -> None:
    record = await app.schedules.put("s", **HOURLY, payload=1)
    for name in (5, None, b"s", "s" * 10_000, "\ud800"):
        for act in (app.schedules.get, app.schedules.remove, app.schedules.pause, app.schedules.run):
            with pytest.raises(ScheduleNotFound):
                await act(name)  # type: ignore[operator]
    for version in ("1", -1, True, 1.0):
        with pytest.raises(UsageError, match="is not a version"):
            await app.schedules.put("s", **HOURLY, payload=2, version=version)
        with pytest.raises(UsageError, match="is not a version"):
            await app.schedules.remove("s", version=version)  # type: ignore[arg-type]
    for reason in (5, None, "x" * 1_001, "\ud800", "a\nb", b"x"):
        with pytest.raises(
            UsageError, match=r"reason=.* is not possible: use 0 to 1000 characters on one line"
        ):
            await app.schedules.pause("s", reason=reason)  # type: ignore[arg-type]
    assert await app.schedules.get("s") == record


def test_a_wrong_declaration_is_a_configuration_error() -> None:
    app = App()

    async def work(number: int) -> None: ...

    task = app.task(queue="q")(work)
    with pytest.raises(ConfigurationError, match="its minute is not possible"):
        app.schedule(cron="61 * * * *", payload=1)(task)
    with pytest.raises(ConfigurationError, match="payload of 'work' is not valid"):
        app.schedule(every=60)(task)
    with pytest.raises(ConfigurationError, match="stands above app"):
        app.schedule(every=60)(work)  # type: ignore[type-var]
    app.schedule(every=60, payload=1)(task)
    with pytest.raises(ConfigurationError, match="two schedules are named 'work'"):
        app.schedule(every=90, payload=1)(task)

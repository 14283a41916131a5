"""Schedules of tasks with groups: their runs wait in the lines of these."""

from __future__ import annotations

from typing import Any

import pytest

from streamq import App, GroupFull, InvalidPayload, InvalidSchedule, Limit, State

from ..rig import ON_ONE_SERVER, until, working


@ON_ONE_SERVER
async def test_a_run_waits_in_the_line_of_its_group_which_its_schedule_says_or_its_task_makes(
    app: App,
) -> None:
    by_template = app.task(queue="q", name="filled", group="{tenant}:{contact}")(_nothing)
    app.task(queue="q", name="asked", group=lambda message: f"t{message['tenant']}")(_nothing)
    payload = {"tenant": 7, "contact": "ada"}
    app.schedule(name="declared", every="1h", payload=payload)(by_template)
    await app.schedules.declare()
    await app.schedules.put("filled", task="filled", payload=payload, every="1h", overlap="queue")
    await app.schedules.put("asked", task="asked", payload=payload, every="1h", jitter="1m")
    await app.schedules.put("fixed", task="asked", payload=payload, every="1h", group="vip")
    await app.schedules.put("foreign", task="unknown", queue="q", every="1h", group="vip:1", priority="high")
    jobs = [
        await app.schedules.run(name)
        for name in ("declared", "filled", "filled", "asked", "fixed", "foreign")
    ]
    found = [await job.status() for job in jobs]
    groups = ["7:ada", "7:ada", "7:ada", "t7", "vip", "vip:1"]
    assert [(job.group, job.state) for job in found] == [(group, State.HELD) for group in groups]
    lines = {group.name: group.waiting for group in await app.queue("q").groups()}
    assert lines == {"7:ada": 2, "t7": 1, "vip": 1, "vip:1": 1}, "one waits for the run before it"
    assert (await app.schedules.get("fixed")).asdict()["group"] == "vip"
    async with working(app):
        for job in jobs[:5]:
            await job.result(5)


@ON_ONE_SERVER
async def test_a_run_waits_for_room_in_its_group(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.limit("q", groups=Limit(max_waiting=1))
    ran: list[int] = []

    @app.task(queue="q")
    async def t(number: int) -> None:
        ran.append(number)

    await app.queue("q").pause()
    async with working(app) as worker:
        await worker.is_ready.wait()
        await app.enqueue("q", "t", 0, group="a")
        await app.schedules.put("s", task="t", queue="q", payload=1, every="1s", group="a")
        with pytest.raises(
            GroupFull, match="group 'a' of queue 'q' is full: 1 of its jobs wait, at most 1 may"
        ):
            await app.schedules.run("s")
        await until(lambda: "schedule s waits: as many jobs wait in group a of queue q as may" in caplog.text)
        await app.queue("q").resume()
        await until(lambda: 1 in ran)


@ON_ONE_SERVER
async def test_a_group_of_a_schedule_that_cannot_be_is_refused(app: App) -> None:
    app.task(queue="q", name="filled", group="{tenant}")(_nothing)
    with pytest.raises(InvalidSchedule, match="group='a:b:c' is not possible"):
        await app.schedules.put("s", task="filled", payload={"tenant": 7}, every="1h", group="a:b:c")
    with pytest.raises(InvalidPayload, match="tenant"):
        await app.schedules.put("s", task="filled", payload={}, every="1h")


async def _nothing(message: dict[str, Any]) -> None: ...

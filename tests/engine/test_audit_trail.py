"""The audit trail: who did what to queues, jobs and schedules, bounded, and the latest first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App, UsageError
from streamq.model.keys import Keys

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER


async def _acts(app: App, bound: int) -> None:
    queue = app.queue("q")
    waiting, delayed, gone = await app.enqueue_many("q", "t", range(3), delay=60)
    await queue.pause("provider down", until="1h")
    await queue.resume()
    await queue.pause(task="t")
    await queue.resume(task="t")
    await queue.limit(max_waiting=bound)
    await queue.keep(completed=7)
    await waiting.promote()
    await delayed.edit(5)
    await gone.cancel("not needed")
    await gone.retry()
    await gone.cancel()
    await gone.delete()
    operation = await queue.purge(["expired"])
    await operation.cancel()
    await queue.drain()
    await app.schedules.put("s", queue="q", task="t", every=3600)
    await app.schedules.pause("s", reason="holiday")
    await app.schedules.resume("s")
    await app.schedules.run("s")
    await app.schedules.remove("s")


ACTS = [
    "queue.pause", "queue.resume", "queue.pause", "queue.resume", "queue.limit", "queue.retention", "job.promote",
    "job.change", "job.cancel", "job.retry", "job.cancel", "job.delete", "queue.purge", "operation.cancel",
    "queue.drain", "schedule.put", "schedule.pause", "schedule.resume", "schedule.run", "schedule.remove",
]  # fmt: skip


@ON_ONE_SERVER
async def test_every_act_of_a_person_is_noted_with_who_and_what_and_none_of_the_program(app: App) -> None:
    await _acts(app, 50)
    assert (await app.audit("q")).items == [], "a program that acts by itself is no person"
    with app.acting("alice"):
        await _acts(app, 51)
    found = (await app.audit("q")).items
    acts = [each.action for each in reversed(found)]
    assert acts == ACTS, set(ACTS) - set(acts)
    assert {(each.actor, each.queue) for each in found} == {("alice", "q")}
    said = {each.action: each for each in found}
    assert said["job.cancel"].subject
    assert (said["schedule.pause"].subject, said["schedule.pause"].details) == ("s", {"reason": "holiday"})
    assert said["job.change"].details == {"what": ["edit"]}, "a payload is not noted"
    first = found[-1]
    assert first.details == {"reason": "provider down", "until": "1h"}
    with app.acting("bob"):
        await app.queue("q").pause()
    assert (await app.queue("q").steering()).paused.by == "bob"  # type: ignore[union-attr]
    await app.queue("q").pause(by="carol")
    assert (await app.audit("q")).items[0].actor == "carol"


@ON_ONE_SERVER
async def test_pages_of_all_queues_meet_each_act_once_the_latest_first(app: App) -> None:
    with app.acting("alice"):
        for number in range(7):
            for name in ("a", "b", "c"):
                await app.enqueue(name, "t", 1)
                await app.queue(name).pause(f"n{number}")
        await asyncio.sleep(0.002)  # acts of different queues in one millisecond have no order
        await app.queue("c").resume()
        await app.queue("c").remove(purge=True)
    seen, cursor = [], None
    while True:
        page = await app.audit(limit=4, cursor=cursor)
        seen += page.items
        cursor = page.next
        if cursor is None:
            break
    assert (seen[0].action, seen[0].queue) == ("queue.remove", "c"), "it outlives the queue"
    assert len(seen) == 15
    assert len({(each.queue, each.id) for each in seen}) == 15
    assert [each.at for each in seen] == sorted((each.at for each in seen), reverse=True)


@ON_ONE_SERVER
async def test_acts_of_one_moment_in_several_queues_are_all_met(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for name in ("a", "b", "c"):
        await app.enqueue(name, "t", 1)
        client.xadd(Keys(prefix, name).trail, {"actor": "alice", "action": "queue.pause"}, id="5-1")
    met, cursor = [], None
    while not met or cursor:
        page = await app.audit(limit=1, cursor=cursor)
        met += [each.queue for each in page.items]
        cursor = page.next
    assert met == ["c", "b", "a"]


@ON_ONE_SERVER
async def test_a_flood_of_acts_leaves_a_bounded_trail(app: App, client: redis.Redis, prefix: str) -> None:
    with app.acting("x" * 200):
        for _ in range(6):
            await asyncio.gather(*[app.queue("q").pause("r" * 500) for _ in range(300)])
    trail = Keys(prefix, "q").trail
    assert 1_000 <= client.xlen(trail) <= 1_100
    assert client.memory_usage(trail, samples=0) < 1_500_000


@ON_ONE_SERVER
async def test_an_act_whose_note_is_refused_is_done_and_the_log_says_so(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.set(Keys(prefix, "q").trail, "no stream")
    with app.acting("alice"):
        await app.queue("q").pause("why")
    assert (await app.queue("q").steering()).paused is not None
    assert "queue.pause of all in q by alice is done, and not in the audit trail" in caplog.text


@ON_ONE_SERVER
@pytest.mark.parametrize("actor", ["", "a\nb", "x" * 201, 5])
async def test_an_actor_is_a_name_on_one_line(app: App, actor: Any) -> None:
    with pytest.raises(UsageError, match="cannot be an actor"), app.acting(actor):
        pass
    with pytest.raises(UsageError):
        await app.audit(cursor="nonsense")
    with pytest.raises(UsageError, match="use 1 to 1,000"):
        await app.audit(limit=0)


@ON_ONE_SERVER
def test_threads_act_by_the_name_that_they_say(make_app: Callable[..., App]) -> None:
    app = make_app()
    with app.acting("dana"):
        app.sync.run(lambda: app.queue("q").pause())
    assert app.sync.run(lambda: app.audit("q")).items[0].actor == "dana"
    app.sync.close()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_commands_act_by_the_name_of_the_login_or_the_one_that_is_given(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    await app.enqueue("q", "t", 1)
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    pause = ("queue", "pause", "q")
    acts = [
        Call((*pause, "--actor", "erin")), Call(pause, environment={"STREAMQ_ACTOR": "frank"}),
        Call(("queue", "limit", "q", "--max-waiting", "5")),
    ]  # fmt: skip
    run_all(tmp_path, acts, **environment)
    (listed, table) = run_all(
        tmp_path, [Call(("audit", "ls", "--queue", "q", "--json")), Call(("audit", "ls"))], **environment
    )
    entries = json.loads(listed.out)["entries"]
    actors = {each["action"]: each["actor"] for each in entries}
    assert {each["actor"] for each in entries} == {"erin", "frank", actors["queue.limit"]}
    assert actors["queue.limit"], "the login of whoever runs the tests"
    assert "queue.pause" in table.out

"""``streamq queue`` and ``streamq operation``, as people type them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamq import App

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, working

Run = Callable[..., Awaitable[list[tuple[int, str, str]]]]


@pytest.fixture
def run(tmp_path: Path, server_url: str, prefix: str) -> Run:
    """Exit code, output and errors of each call."""

    async def run(*calls: Call) -> list[tuple[int, str, str]]:
        environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
        ends = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
        return [(ended.code, ended.out, ended.err) for ended in ends]

    return run


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_queue_is_steered_and_emptied_by_commands_and_every_end_has_its_exit_code(
    app: App, run: Run
) -> None:
    @app.task(queue="other")
    async def t(x: int) -> None: ...

    sms, mail = app.queue("sms"), app.queue("mail")
    await app.enqueue_many("sms", "t", range(300))
    await app.enqueue_many("mail", "t", range(300), delay=60)
    await sms.limit(max_waiting=300)
    purge = ("queue", "purge", "sms", "--state", "waiting")
    pause = ("queue", "pause", "sms", "--reason", "maintenance", "--until", "30m", "--by", "ada")

    paused, full, unknown, no_bound, unsure, wrong, limited = await run(
        Call((*pause, "--json")),
        Call(("job", "enqueue", "sms", "t")),
        Call(("queue", "purge", "smss", "--yes")),
        Call(("queue", "limit", "sms")),
        Call(purge),
        Call(purge, stdin="mail\n"),
        Call(("queue", "limit", "mail", "--max-waiting", "5", "--json")),
    )
    said = json.loads(paused[1])
    assert (said["paused"]["reason"], said["paused"]["by"], said["max_waiting"]) == (
        "maintenance",
        "ada",
        300,
    )
    assert [code for code, _, _ in (full, unknown, no_bound, unsure, wrong)] == [1, 3, 2, 2, 2]
    assert "queue 'sms' is full" in full[2]
    assert "nothing is deleted" in unsure[2]
    assert "'mail' is not the name of the queue" in wrong[2]
    assert json.loads(limited[1])["max_waiting"] == (await mail.steering()).max_waiting == 5
    assert (await sms.counts()).waiting == 300

    async with working(app, queues=["sms", "mail"]):  # sms is paused: nothing of it is run
        listed, shown, purged, drained, begun, none = await run(
            Call(("queues", "--json")),
            Call(("queue", "get", "sms")),
            Call((*purge, "--json"), stdin="sms\n"),
            Call(("queue", "drain", "mail", "--yes", "--delayed")),
            Call(("queue", "purge", "mail", "--state", "failed", "--yes", "--no-wait")),
            Call(("operation", "get", "sms.0123456789abcdef")),
        )
    assert json.loads(listed[1])["queues"][1]["paused"]["reason"] == "maintenance"
    assert "paused       maintenance; since" in shown[1]
    assert (purged[0], json.loads(purged[1])["done"], (await sms.counts()).waiting) == (0, 300, 0)
    assert (drained[0], "300 of 300 jobs deleted" in drained[1]) == (0, True)
    assert (begun[0], "is running" in begun[1] or "is done" in begun[1], none[0]) == (0, True, 3)


@ON_ONE_SERVER
async def test_an_operator_reads_how_many_partitions_there_are_and_what_stays_where_it_was(
    app: App, run: Run
) -> None:
    for name in ("acme", "globex"):
        await app.enqueue("sms", "t", 1, group=name, delay=600)
    changed, again, refused, shown = await run(
        Call(("queue", "partition", "sms", "4")),
        Call(("queue", "partition", "sms", "8")),
        Call(("queue", "partition", "sms", "65")),
        Call(("queue", "partition", "sms", "--json")),
    )
    assert "partitions   4, from 1; still where they were: 2 (group " in changed[1]
    assert "partitions   8, from 4; still where they were: 2 (group " in again[1]
    assert (refused[0], "use a whole number from 1 to 64" in refused[2]) == (2, True)
    its = json.loads(shown[1])["partitions"]
    assert (its["staying"], sorted(its["examples"])) == (2, ["group acme", "group globex"])

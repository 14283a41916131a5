"""``streamq group``, ``streamq queue limit`` and ``streamq job enqueue --group``, as people type them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamq import App

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_groups_are_limited_paused_and_looked_at_by_commands_and_every_end_has_its_exit_code(
    app: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    @app.task(queue="sms", group="{tenant}")
    async def t(job: dict[str, str]) -> None: ...

    await t.enqueue_many([{"tenant": tenant} for tenant in "aab"])
    calls = [
        Call(("job", "enqueue", "sms", "t", "--payload", "{}", "--group", "66338:contact-9", "--json")),
        Call(("job", "enqueue", "sms", "t", "--group", "a:b:c")),
        Call(("group", "limit", "sms", "a", "--concurrency", "2", "--rate", "10/s", "--by", "ada", "--json")),
        Call(("group", "limit", "sms", "*", "--max-waiting", "2", "--weight", "0.5")),
        Call(("group", "limit", "sms", "a", "--rate", "0/s")),
        Call(("group", "limit", "sms", "a")),
        Call(("group", "pause", "sms", "b", "--reason", "they asked", "--until", "30m", "--by", "ada")),
        Call(("group", "get", "sms", "b", "--json")),
        Call(("group", "ls", "sms")),
        Call(("group", "ls", "sms", "--longest", "--json")),
        Call(("group", "resume", "sms", "b")),
        Call(("group", "limit", "sms", "a", "--rate", "default", "--concurrency", "unlimited")),
        Call(("group", "get", "smss", "b")),
        Call(("group", "get", "sms", "a:b:c")),
        Call(("queue", "limit", "sms", "--concurrency", "50", "--rate", "100/s")),
        Call(("queue", "limit", "sms", "--task", "t", "--rate", "5/m", "--json")),
        Call(("queue", "limit", "sms")),
        Call(("job", "enqueue", "sms", "t", "--group", "a")),
    ]
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    ends = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
    assert [end.code for end in ends] == [0, 2, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 2, 1], [
        e.err for e in ends
    ]
    limited, _, every, zero = ends[2].out, ends[3].out, ends[3].out, ends[4].err
    assert json.loads(limited)["limit"] == {"concurrency": 2, "rate": "10/s"}
    assert "told         weight 0.5, max_waiting 2" in every
    assert "rate='0/s' is not possible: write how many starts in which time, as '10/s'" in zero
    paused = json.loads(ends[7].out)
    assert (paused["waiting"], paused["paused"]["reason"], paused["paused"]["by"]) == (1, "they asked", "ada")
    assert [line.split()[:2] for line in ends[8].out.splitlines()][:2] == [["group", "waiting"], ["a", "2"]]
    assert {group["name"] for group in json.loads(ends[9].out)} == {"a", "b", "66338:contact-9"}
    assert "limit of queue" in ends[14].out
    assert json.loads(ends[15].out)["limits"]["task:t"] == {"code": {}, "told": {"rate": "5/m"}}
    assert "group 'a' of queue 'sms' is full: 2 of its jobs wait, at most 2 may" in ends[17].err
    acts = {(entry.action, entry.subject, entry.actor) for entry in (await app.audit(queue="sms")).items}
    assert {("group.limit", "a", "ada"), ("group.pause", "b", "ada")} <= acts


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_shared_limits_and_breakers_are_told_looked_at_and_steered_by_commands(
    app: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    await app.enqueue("sms", "t", 1, group="a")
    calls = [
        Call(("shared", "limit", "provider", "--rate", "100/s", "--concurrency", "5", "--json")),
        Call(("shared", "limit", "provider")),
        Call(("shared", "limit", "no such", "--rate", "1/s")),
        Call(("shared", "pause", "provider", "--reason", "429", "--until", "5m", "--by", "ada")),
        Call(("shared", "ls")),
        Call(("shared", "resume", "provider")),
        Call(("shared", "get", "provider", "--json")),
        Call(("shared", "rm", "provider")),
        Call(("shared", "ls")),
        Call(("queue", "limit", "sms", "--shared", "provider", "--turns", "time", "--breaker", "20%/5m")),
        Call(("group", "limit", "sms", "a", "--breaker", "x")),
        Call(("breaker", "open", "sms", "--group", "a", "--reason", "down", "--by", "ada")),
        Call(("breaker", "ls", "sms")),
        Call(("breaker", "get", "sms", "--group", "a", "--json")),
        Call(("breaker", "close", "sms", "--group", "a", "--json")),
        Call(("breaker", "open", "sms", "--task", "t")),
        Call(("breaker", "open", "sms", "--task", "t", "--group", "a")),
        Call(("shared", "get", "provides")),
    ]
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    ends = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
    assert [end.code for end in ends] == [0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 2, 3], [
        (end.code, end.err) for end in ends
    ]
    assert json.loads(ends[0].out)["limit"] == {"concurrency": 5, "rate": "100/s"}
    assert [line.split()[0] for line in ends[4].out.splitlines()] == ["shared", "provider"]
    assert json.loads(ends[6].out)["paused"] is None
    assert "no shared limit is told" in ends[8].out
    assert "'50%/1m'" in ends[10].err
    assert ["group:a", "open"] in [line.split()[:2] for line in ends[12].out.splitlines()]
    assert [json.loads(ends[at].out)["state"] for at in (13, 14)] == ["open", "closed"]
    assert "do not wait for the gate" in ends[15].err

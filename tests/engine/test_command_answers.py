"""What commands answer of a real server: exit codes, and nothing that acts on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from streamq import App, Fail, Unique
from streamq.duties.pruner import Pruner

from ..commands import Call, run_all, sentence
from ..rig import ON_ONE_SERVER, shared_keys, until, working

ESC = "\x1b[2J\x1b]0;owned\x07\u202e"


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_every_end_of_a_job_has_its_exit_code(
    tmp_path: Path, app: App, server_url: str, prefix: str, client: redis.Redis
) -> None:
    @app.task(queue="sms", attempts=1)
    async def deliver(how: str) -> str:
        if how == "fail":
            raise Fail(f"{ESC}\nerror: forged")
        if how == "slow":
            await asyncio.sleep(60)
        return how

    sent = ("job", "enqueue", "sms", "deliver", "--payload")
    async with working(app) as worker:
        calls = [
            Call((*sent, '"ok"', "--wait", "10s", "--json")),
            Call((*sent, '"fail"', "--wait", "10s")),
            Call((*sent, '"slow"', "--wait", "50ms")),
            Call((*sent, "-", "--wait", "10s"), stdin='"ok"'),
            Call(("job", "get", "sms", "1-0")),
            Call(("job", "get", "smss", "1-0")),
            Call(("job", "ls", "smss")),
            Call(("job", "retry", "smss", "1-0", "--json")),
            Call(("job", "ls", "sms", "--cursor", "garbage")),
            Call(("job", "ls", "sms", "--state", "delayed")),
            Call(("job", "enqueue", "smss", "deliver", "--payload", '"x"', "--delay", "5m")),
            Call(("job", "get", "sms", ESC)),
            Call(("job", "get", "sms", "\udcff")),
            Call((*sent, '"ok"', "--at", "2030-01-31T09:00:00Z", "--attempts", "2", "--timeout", "9",
                  "--durability", "memory", "--json")),
        ]  # fmt: skip
        ends = await asyncio.to_thread(
            run_all, tmp_path, calls, STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix
        )
        worker.stop()
        worker.stop()
    assert [ended.code for ended in ends] == [0, 1, 5, 0, 3, 3, 3, 3, 2, 0, 0, 3, 3, 0], ends
    assert '"state":"completed"' in ends[0].out
    assert "did not end within 0.05 s; it goes on" in sentence(ends[2])
    assert "no job '1-0'" in sentence(ends[4])
    assert [sentence(ended) for ended in ends[5:8]] == [
        "error: there is no queue 'smss': did you mean sms?"
    ] * 3
    assert '"code":"queue-not-found"' in ends[7].out
    assert "garbage" in sentence(ends[8])
    assert ends[9].err == ""
    assert ends[10].err == "warning: queue 'smss' is new: no worker has served it: did you mean sms?\n"
    for ended in (ends[1], ends[11], ends[12]):
        sentence(ended)
    later = json.loads(ends[13].out)
    assert (later["due_at"], later["attempts"]) == ("2030-01-31T09:00:00.000Z", 2)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_job_of_a_window_that_is_gone_already_is_no_error(
    tmp_path: Path, app: App, server_url: str, prefix: str
) -> None:
    job = await app.enqueue("sms", "deliver", key="k", unique=Unique(window=60))
    await job.cancel()
    await job.delete()
    sent = ("job", "enqueue", "sms", "deliver", "--key", "k", "--unique", "window=60")
    ends = await asyncio.to_thread(
        run_all, tmp_path, [Call(sent), Call((*sent, "--json"))],
        STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix,
    )  # fmt: skip
    assert [ended.code for ended in ends] == [0, 0], ends
    assert f"{job.id} cannot be shown" in ends[0].err
    assert json.loads(ends[1].out) == {
        "id": job.id,
        "queue": "sms",
        "task": "deliver",
        "disposition": "existing",
    }


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_job_is_changed_cancelled_and_deleted_by_commands_that_say_what_its_state_allows(
    tmp_path: Path, app: App, server_url: str, prefix: str
) -> None:
    job = await app.enqueue("q", "t", 1, delay=60)
    calls = [
        ("edit", "--payload", "2", "--version", "0"), ("edit", "--payload", "3", "--version", "0"),
        ("reschedule",), ("reschedule", "--at", "2027-01-31T09:00:00Z"), ("priority", "high"), ("rm",),
        ("cancel", "--reason", "no", "--by", "ada"), ("promote",), ("rm",),
    ]  # fmt: skip
    said = [("job", words[0], "q", job.id, *words[1:], "--json") for words in calls]
    said += [("job", "enqueue", "q", "t", "--key", "k", "--unique", how, "--json") for how in UNIQUE]
    ends = await asyncio.to_thread(
        run_all,
        tmp_path,
        [Call(words) for words in said],
        STREAMQ_REDIS_URL=server_url,
        STREAMQ_PREFIX=prefix,
    )
    assert [ended.code for ended in ends] == [0, 4, 2, 0, 0, 4, 0, 4, 0, 0, 0, 2], ends
    told = [json.loads(ended.out) for ended in ends]
    assert [each.get("version") for each in told[:5]] == [1, None, None, 2, 3]
    assert (told[1]["error"]["code"], told[5]["error"]["code"]) == ("version-conflict", "wrong-state")
    assert "it allows cancel, promote, reschedule, priority, edit" in sentence(ends[5])
    assert (told[6]["state"], told[6]["error"]["message"], told[6]["error"]["by"]) == (
        "cancelled",
        "no",
        "ada",
    )
    assert [each["disposition"] for each in told[9:11]] == ["created", "replaced"]


UNIQUE = ('{"until": "started"}', "conflict=replace,until=done", "untill=done")


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_list_in_json_leads_to_its_next_page(
    tmp_path: Path, app: App, server_url: str, prefix: str
) -> None:
    sent = [job.id for job in await app.enqueue_many("q", "t", range(3))]
    words, ids = ("job", "ls", "q", "--state", "waiting", "--limit", "2", "--json"), list[str]()
    for more in (1, 0):
        (ended,) = await asyncio.to_thread(
            run_all, tmp_path, [Call(words)], STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix
        )
        page = json.loads(ended.out)
        ids += [item["id"] for item in page["items"]]
        assert bool(page["next"]) is bool(more)
        words = (*words, "--cursor", str(page["next"]))
    assert sorted(ids) == sorted(sent)


@ON_ONE_SERVER
async def test_ctrl_c_ends_with_130_and_says_that_the_job_goes_on(
    tmp_path: Path, server_url: str, prefix: str, client: redis.Redis
) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "streamq", "job", "enqueue", "sms", "deliver", "--wait", "5m"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix},
    )  # fmt: skip
    try:
        await until(lambda: client.xlen(f"{prefix}:{{sms}}:ready"), 20)
        await until(lambda: client.pubsub_channels(f"{prefix}*"), 20)
        waiting.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(waiting.communicate, timeout=20)
    finally:
        waiting.kill()
        client.flushall()
    assert waiting.returncode == 130
    assert b"Traceback" not in err
    assert b" goes on: streamq job get sms " in err
    assert out == b""


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_no_character_of_a_job_acts_on_the_terminal(
    tmp_path: Path, app: App, server_url: str, prefix: str, client: redis.Redis
) -> None:
    """Names, payloads, errors and workers as anyone with the password may write them."""
    hostile = f"{ESC}\nok    forged line\r\x9b2J"
    async with working(app, queues=["q"]):
        await app.enqueue("q", ESC, {"text": hostile, hostile: 1})
        headers = '{"attempt":1,"history":[{"type":%s,"message":%s,"worker":%s,"attempt":1}]}'
        quoted = '"' + "\\u001b[2J\\u202e\\nerror: forged" + '"'
        client.xadd(
            f"{prefix}:{{w}}:ready",
            {"task": hostile, "payload": hostile, "headers": headers % (quoted, quoted, quoted)},
        )
        client.sadd(shared_keys(prefix).queues, "w", hostile)
        client.hset(shared_keys(prefix).workers, hostile, '{"host":"\\u001b[2J"}')
        client.hset(
            f"{prefix}:{{w}}:finished",
            "5-0",
            f'f1 2 {hostile.replace(chr(10), "")}\n{ESC}\n\n{{"type":{quoted},"message":{quoted}}}\n{{}}',
        )
        client.zadd(f"{prefix}:{{w}}:failures", {"5-0": 5})
        looks = [
            ("queues",), ("workers",), ("job", "ls", "w", "--state", "waiting"), ("job", "ls", "w"),
            ("job", "get", "w", "5-0"), ("job", "ls", "q", "--state", "delayed"), ("doctor",),
            ("job", "retry", "w", "5-0"), ("job", "enqueue", "q", hostile), ("job", "ls", "w", "--cursor", hostile),
        ]  # fmt: skip
        calls = [Call(look) for look in looks] + [Call((*look, "--json")) for look in looks]
        ends = await asyncio.to_thread(
            run_all, tmp_path, calls, STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix
        )
    assert [ended.code for ended in ends[:6]] == [0] * 6, ends[:6]
    for ended in ends:
        for text in (ended.out, ended.err):
            assert all(line.isprintable() for line in text.split("\n")), ended
            assert not any(line.startswith(("ok    forged", "error: forged")) for line in text.split("\n")), (
                ended
            )
        assert "Traceback" not in ended.err, ended
    assert r"\x1b[2J" in ends[3].out
    assert r"\u001b[2J" in ends[len(looks) + 2].out


@ON_ONE_SERVER
async def test_a_task_that_is_sent_to_a_misspelt_queue_is_told_of_once(
    app: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    app.task(queue="sms", name="send_sms")(lambda x: x)
    app.task(queue="sms2", name="other")(lambda x: x)
    for queue in ("smss", "smss", "bulk", "sms2", "sms"):
        await app.enqueue(queue, "send_sms", 1)
    client.flushall()
    told = [record.getMessage() for record in caplog.records if record.name == "streamq.app"]
    assert told == ["task send_sms is sent to queue smss, on which no task is declared: did you mean sms?"]


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_queue_that_nothing_is_left_of_is_struck_off_the_list(app: App, client: redis.Redis) -> None:
    await app.enqueue("smss", "send_sms", 1)
    async with working(app, queues=["served"]):
        await app.enqueue("full", "send_sms", 1)
        pruner = Pruner(app.client.store, lambda: ["smss", "served", "full"])
        await until(app.workers)
        await pruner.once()
        assert await app.queues() == ["full", "served", "smss"]
        client.delete(app.client.store.keys("smss").ready)  # somebody cleans up by hand
        await pruner.once()
        assert await app.queues() == ["full", "served"]


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("who", ["worker", "producer"])
async def test_a_queue_that_comes_into_use_as_it_is_struck_off_stays_on_the_list(
    app: App, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = app.client.store.queues
    struck = queues.strike
    await queues.announce("fresh")
    async with contextlib.AsyncExitStack() as stack:

        async def comes_into_use_first(*names: str) -> None:
            if who == "worker":
                await (await stack.enter_async_context(working(app, queues=["fresh"]))).is_ready.wait()
            else:
                await app.enqueue("fresh", "t", 1)
            await struck(*names)

        monkeypatch.setattr(queues, "strike", comes_into_use_first)
        pruner = Pruner(app.client.store, lambda: ["fresh"])
        await pruner.once()
        assert await queues.names() == {"fresh"}
        await pruner.close()

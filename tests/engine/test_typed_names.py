"""Names that are typed: a shell completes them with what the server knows, and a wrong one is told the nearest."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from streamq import App, Limit

from ..commands import Call, Ended, run_all
from ..rig import ON_ONE_SERVER, until, working


def completed(words: str) -> Call:
    """What bash is told where it asks for the end of the last word."""
    asked = {
        "_STREAMQ_COMPLETE": "bash_complete",
        "COMP_WORDS": f"streamq {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    return Call((), environment=asked)


def shop(app: App) -> None:
    @app.task(queue="sms", aliases=("post",))
    async def send_sms(_: int) -> None: ...

    @app.schedule(every="1h")
    @app.task(queue="mail")
    async def tidy() -> None: ...

    app.limit_shared("provider", Limit(concurrency=3))


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_shell_completes_names_with_what_the_server_knows(
    app: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    shop(app)
    wanted = {
        "queue get s": ["sms"], "job enqueue m": ["mail"], "job enqueue sms s": ["send_sms"],
        "stats sms --task t": ["tidy"], "schedule get t": ["tidy"], "workers quiet w": ["w1"],
        "shared get p": ["provider"], "queue get x": [], "job ls sms --state f": ["failed"],
        "audit ls --queue s": ["sms"], "events tail --queue m": ["mail"], "que": ["queues", "queue"],
    }  # fmt: skip

    async def are_known() -> bool:
        ready = bool(await app.served_tasks()) and bool(await app.shared_limits())
        return ready and bool(await app.schedules.list())

    async with working(app, name="w1"):
        await until(are_known)
        ends = await asyncio.to_thread(
            run_all,
            tmp_path,
            [completed(words) for words in wanted],
            STREAMQ_REDIS_URL=server_url,
            STREAMQ_PREFIX=prefix,
        )
    found = [[line.partition(",")[2] for line in ended.out.split("\n") if line] for ended in ends]
    assert dict(zip(wanted, found, strict=True)) == wanted
    assert not [ended.err for ended in ends if ended.err]


def test_without_a_server_there_are_no_names_and_no_words_and_not_for_long(tmp_path: Path) -> None:
    begun = time.monotonic()
    (away,) = run_all(tmp_path, [completed("queue get s")], STREAMQ_REDIS_URL="redis://127.0.0.1:1/0")
    assert (away.out.strip(), away.err) == ("", "")
    assert time.monotonic() - begun < 15


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_nearest_task_and_shared_limit_are_told_and_both_may_be_new(
    app: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    shop(app)
    calls = [
        ("job", "enqueue", "sms", "send_smss", "--payload", "1"), ("job", "enqueue", "sms", "post", "--payload", "1"),
        ("stats", "sms", "--task", "send_smss"), ("queue", "pause", "sms", "--task", "send_smss"),
        ("shared", "get", "provder"), ("shared", "limit", "provider2", "--rate", "5/s"),
        ("job", "ls", "sms", "--state", "faild"), ("schedule", "add", "x"),
    ]  # fmt: skip

    async def are_known() -> bool:
        return bool(await app.served_tasks()) and bool(await app.shared_limits())

    async with working(app):
        await until(are_known)
        ends = await asyncio.to_thread(
            run_all,
            tmp_path,
            [Call(call) for call in calls],
            STREAMQ_REDIS_URL=server_url,
            STREAMQ_PREFIX=prefix,
        )
    task = "warning: no worker has published a task 'send_smss': did you mean send_sms?\n"
    shared = "error: nothing is said of a shared limit 'provder': did you mean provider?\n"
    assert [_told(ended) for ended in ends[:6]] == [
        (0, task),
        (0, ""),
        (0, task),
        (0, task),
        (3, shared),
        (0, ""),
    ]
    assert (ends[6].code, "did you mean failed?" in ends[6].err) == (2, True)
    assert (ends[7].code, "there are get, ls, pause, preview, put" in ends[7].err) == (2, True)


def _told(ended: Ended) -> tuple[int, str]:
    return ended.code, ended.err

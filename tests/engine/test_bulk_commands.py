"""``streamq errors`` and ``streamq job … --q``, as people type them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamq import App

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_failures_are_listed_found_and_mended_by_commands_and_every_end_has_its_exit_code(
    app: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    @app.task(queue="q", attempts=1)
    async def send(n: int) -> None:
        raise ValueError(f"no answer for {n}")

    async def have_failed() -> bool:
        return (await app.queue("q").counts()).failed == 30

    async with working(app):
        jobs = await send.enqueue_many(range(30))
        await until(have_failed)
    (group,) = await app.queue("q").failures()
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    job = ("job", "retry", "q")
    looks = await asyncio.to_thread(run_all, tmp_path, [
        Call(("errors", "ls", "--json")), Call(("job", "ls", "q", "--q", "payload>26", "--json")),
        Call(("job", "ls", "q", "--q", "age>")), Call((*job, "--q", "payload>26")), Call(job),
        Call((*job, jobs[0].id, "--q", "age>0s", "--all")), Call((*job, "--q", "state:held", "--all")),
        Call((*job, jobs[0].id, "--payload", "77", "--json")), Call(("errors", "ls", "none")),
    ], **environment)  # fmt: skip
    assert [each.code for each in looks] == [0, 0, 2, 2, 2, 2, 2, 0, 3]
    assert json.loads(looks[0].out)["failures"][0]["fingerprint"] == group.fingerprint
    found = json.loads(looks[1].out)
    assert ([each["payload"] for each in found["items"]], found["looked"], found["next"]) == (
        [29, 28, 27],
        30,
        None,
    )
    assert ">>>" in looks[2].err
    assert "add --all" in looks[3].err
    assert json.loads(looks[7].out)["clone_of"] == jobs[0].id

    acts = await asyncio.to_thread(run_all, tmp_path, [
        Call(("errors", "retry", "q", group.fingerprint, "--rate", "1000/s", "--by", "ada", "--json")),
        Call(("errors", "retry", "q", "0ff0")),
    ], **environment)  # fmt: skip
    assert (acts[0].code, acts[1].code) == (0, 3)
    assert "no job on 'q' has failed as '0ff0'" in acts[1].err
    record = json.loads(acts[0].out)
    assert (record["state"], record["done"], record["by"]) == ("done", 30, "ada")
    ended = await asyncio.to_thread(run_all, tmp_path, [
        Call(("operation", "cancel", record["id"])), Call(("job", "cancel", "q", "--q", "payload<10", "--all"))
    ], **environment)  # fmt: skip
    assert [each.code for each in ended] == [4, 0]
    assert "10 of 31 jobs cancelled" in ended[1].out

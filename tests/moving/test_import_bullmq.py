"""``streamq import bullmq``: what waits in a real BullMQ comes here, in its order and once."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamq import App, JobRecord
from streamq.store.bullmq import BullMQ

from ..commands import Call, Ended, run_all, sentence
from ..proxy import Proxy
from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server
from . import bullmq_keys
from .killed import KILLS, Killed

SMS, LATER, AI = "send-sms-queue", "scheduled-sms-queue", "ai-response-queue"
FIELDS = ("--field", "phoneNumber=to", "--field", "contactId=contact_id", "--field", "workspaceId=workspace_id",
          "--field", "scheduledFor=")  # fmt: skip
pytestmark = ON_ONE_SERVER


class Both:
    """A server with keys of BullMQ, one of ours, and the command between them."""

    def __init__(self, bull: Server, ours: Server, folder: Path) -> None:
        self.bull, self.ours, self._folder = bull, ours, folder

    def run(self, *words: str) -> Ended:
        told = ("import", "bullmq", "--from", self.bull.url, "--redis-url", self.ours.url)
        (ended,) = run_all(self._folder, [Call((*told, *words))])
        return ended

    def rows(self, *words: str) -> dict[str, Any]:
        ended = self.run(*words, "--json")
        assert ended.code == 0, ended.err
        return {row["queue"]: row for row in json.loads(ended.out)["queues"]}

    async def jobs(self, queue: str, state: Any = "waiting") -> list[JobRecord]:
        async with App(redis_url=self.ours.url) as app:
            return (await app.queue(queue).jobs(state, limit=100)).items


@pytest.fixture(params=["kept", "made"])
def both(request: pytest.FixtureRequest, own_server: Callable[..., Server], tmp_path: Path) -> Both:
    """Keys as they were kept, and as the installed package makes them."""
    bull = own_server(tcp=True)
    if request.param == "kept":
        with bull.client() as client:
            bullmq_keys.restore(client)
    elif bullmq_keys.is_installed():
        bullmq_keys.make(bull)
    else:
        pytest.skip("BullMQ is not installed: make peers")
    return Both(bull, own_server(), tmp_path)


def _numbers(jobs: list[JobRecord]) -> list[int]:
    return [job.payload["metadata"]["n"] for job in jobs if isinstance(job.payload, dict)]


def test_a_dry_run_tells_what_would_come_and_what_would_not_and_why(both: Both) -> None:
    rows = both.rows("--take", "--dry-run")
    assert {queue: row["come"] for queue, row in rows.items()} == {SMS: 13, LATER: 3, AI: 1}
    assert rows[SMS]["there"]["active"] == 1
    assert rows[SMS]["tasks"] == {"send-sms": 13}
    reasons = {
        each["reason"].partition(":")[0]: each["jobs"] for row in rows.values() for each in row["stay"]
    }
    assert reasons == {
        "'..' cannot name a task": 1, "it runs there": 1, "a scheduler makes it": 3,
        "it is the child of a flow": 1, "it waits for the children of its flow": 1,
    }  # fmt: skip
    told = {each["name"]: each["make"] for each in rows[LATER]["schedulers"]}
    assert told["nightly"] == (
        "streamq schedule put nightly scheduled-sms-queue report --cron '0 9 * * 1-5' --zone Europe/Berlin "
        """--payload '{"region":"eu"}'"""
    )
    assert told["often"] == "streamq schedule put often scheduled-sms-queue ping --every 90s"
    assert both.run("--take", "--dry-run").out.count("would come") == 3
    with both.ours.client() as client:
        assert not client.keys("*")


async def test_jobs_are_taken_in_their_order_with_priorities_delays_and_attempts_and_none_twice(
    both: Both,
) -> None:
    assert both.rows("--take", *FIELDS, "--task", "..=send-sms")[SMS]["come"] == 14
    waiting = await both.jobs(SMS)
    assert _numbers([job for job in waiting if job.priority == "normal"]) == [9, 3, 4, 5, 6, 7, 8, 30]
    assert _numbers([job for job in waiting if job.priority == "low"]) == [21, 23, 20, 22]
    message = next(job for job in waiting if job.key == f"bullmq:{SMS}:order-991")
    assert message.payload == {
        "to": "+49308", "message": "text 8 ü", "metadata": {"n": 8}, "contact_id": "contact-2", "workspace_id": 66338,
    }  # fmt: skip
    assert message.attempts == 3
    (again,) = await both.jobs(SMS, "delayed")
    assert again.attempts == 2, "one of three is spent"
    delayed = {job.payload["metadata"]["n"]: job for job in await both.jobs(LATER, "delayed")}
    due = delayed[40].due_at
    assert due is not None
    assert timedelta(days=59) < due - datetime.now(UTC) < timedelta(days=60)
    assert delayed[41].priority == "low"
    assert delayed[42].due_at is not None
    assert delayed[42].due_at < datetime.now(UTC), "the first worker starts it"
    rows = both.rows("--take", *FIELDS, "--task", "..=send-sms")
    assert [row["come"] for row in rows.values()] == [0, 0, 0]
    with both.bull.client() as client:
        assert client.lrange(f"bull:{SMS}:active", 0, -1) == ["2"], "what runs there ends there"
        assert not client.exists(f"bull:{SMS}:wait", f"bull:{SMS}:prioritized", f"bull:{SMS}:streamq:taken")
        assert not client.exists(f"bull:{SMS}:order-991")
        assert client.zcard(f"bull:{LATER}:repeat") == 3


async def test_what_is_only_read_stays_there_and_comes_once(both: Both) -> None:
    refused = both.run("--field", "phoneNumber=to", SMS)
    assert (refused.code, "--take" in sentence(refused)) == (4, True)
    with both.bull.client() as client:
        client.hset(f"bull:{SMS}:meta", "paused", 1)
        before = (
            {key: client.dump(key) for key in [] or client.keys("*")} if False else sorted(client.keys("*"))
        )
    assert both.rows(SMS, LATER)[SMS]["come"] == 13
    again = both.rows(SMS, LATER)
    assert [(row["come"], row["known"]) for row in again.values()] == [(0, 13), (0, 3)]
    assert len(await both.jobs(SMS)) == 12
    with both.bull.client() as client:
        assert sorted(client.keys("*")) == before


async def test_the_tasks_of_an_app_check_what_comes(both: Both, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from pydantic import BaseModel\nfrom streamq import App\napp = App()\n"
        "class Text(BaseModel):\n    phoneNumber: str\n"
        "@app.task(name='send-sms', queue='send-sms-queue', group='{phoneNumber}')\n"
        "def send(text: Text) -> None: ...\n"
    )
    rows = both.rows("--app", "shop:app", "--take", "--task", "scheduled-sms=nothing", SMS, LATER)
    reasons = [each["reason"] for each in rows[SMS]["stay"]]
    assert rows[SMS]["come"] == 12
    assert any("send-sms" in reason for reason in reasons), "the text that is no object"
    assert rows[LATER]["come"] == 0
    assert "no task is named 'nothing'" in str(rows[LATER]["stay"])
    assert {job.group for job in await both.jobs(SMS, "held")} >= {"+49303"}
    with both.bull.client() as client:
        assert client.lrange(f"bull:{SMS}:wait", 0, -1) == ["15", "14"], "they wait there"


@pytest.mark.parametrize("words", [("--task", "x"), ("--priority", "a=b"), ("nothing",)])
def test_what_cannot_be_meant_is_refused_in_one_sentence(both: Both, words: tuple[str, ...]) -> None:
    ended = both.run(*words)
    assert (ended.code, ended.out) in ((2, ""), (3, ""))
    assert sentence(ended)


async def test_an_import_that_is_killed_again_and_again_brings_each_job_once_and_in_order(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    bull, ours, count = own_server(), own_server(), 700
    with bull.client() as client:
        client.hset("bull:q:meta", "version", "bullmq:6.7.0")
        for number in range(count):
            job = {"name": "t", "data": str(number), "opts": "{}", "priority": "0", "timestamp": "1"}
            client.hset(f"bull:q:{number}", mapping=job)
            client.lpush("bull:q:wait", number)
    async with Proxy(bull.socket) as first, Proxy(ours.socket) as second:
        words = ("import", "bullmq", "--take", "--from", first.url, "--redis-url", second.url)
        killed, kills = Killed((first, second), tmp_path, *words), 0
        while kills < KILLS and await killed.run(25):
            kills += 1
        await killed.run(None)
    assert kills
    async with App(redis_url=ours.url) as app:
        counts = await app.queue("q").counts()
        found, cursor = list[Any](), None
        while page := await app.queue("q").jobs("waiting", limit=100, cursor=cursor):  # type: ignore[arg-type]
            found += [job.payload for job in page.items]
            if (cursor := page.next) is None:
                break
    assert (counts.waiting, sorted(found)) == (count, list(range(count)))
    assert found == list(range(count)), "in their order"
    with bull.client() as client:
        assert client.keys("*") == ["bull:q:meta"]


@pytest.mark.skipif(not bullmq_keys.is_installed(), reason="BullMQ is not installed: make peers")
async def test_jobs_are_taken_while_workers_of_bullmq_run_and_each_runs_on_one_side(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    both = Both(own_server(tcp=True), own_server(), tmp_path)
    words = ["node", str(bullmq_keys.HERE / "bullmq_worker.mjs"), str(both.bull.port)]
    with both.bull.client() as client, subprocess.Popen(
        words, cwd=bullmq_keys.PACKAGE, stdin=subprocess.PIPE
    ) as process:  # fmt: skip
        await until(lambda: client.llen("ran") > 20)
        came = [await asyncio.to_thread(both.rows, "--take") for _ in range(2)]
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.to_thread(process.wait, 20)
        left = both.rows("--take")
        ran = [int(number) for number in client.lrange("ran", 0, -1)]
    assert sum(rows["q"]["come"] for rows in [*came, left])
    here: list[int] = []
    async with App(redis_url=both.ours.url) as app:

        @app.task(name="t", queue="q")
        async def note(number: int) -> None:
            here.append(number)

        async with working(app):
            await until(lambda: len(here) + len(ran) >= 600)
    assert sorted(here + ran) == list(range(600))


async def test_a_job_that_has_come_is_known_whatever_has_become_of_it(both: Both) -> None:
    with both.bull.client() as client:
        client.hset(f"bull:{SMS}:meta", "paused", 1)
    assert both.rows(SMS, "--priority", "2=high", "--group", "{contactId}")[SMS]["come"] == 12
    async with App(redis_url=both.ours.url) as app:
        jobs = (await app.queue(SMS).jobs("held", limit=100)).items  # type: ignore[arg-type]
        assert sorted(_numbers([job for job in jobs if job.priority == "high"])) == [21, 23]
        assert {job.group for job in jobs} == {f"contact-{number}" for number in range(3)}
        for job in jobs:
            await app.queue(SMS).cancel(job.id)
    assert both.rows(SMS, "--group", "{contactId}")[SMS]["known"] == 12


async def test_a_job_that_was_taken_and_is_not_here_yet_comes_with_the_next_run(both: Both) -> None:
    async with App(redis_url=both.bull.url) as app:
        bull = BullMQ(app.client.store, "bull")
        places = (await bull.places(SMS))[:5]
        assert await bull.take(SMS, places) == {place.id for place in places}
    assert both.rows("--take", "--dry-run", SMS)[SMS]["come"] == 13
    assert both.rows("--take", SMS)[SMS]["come"] == 13
    assert _numbers(await both.jobs(SMS))[:2] == [9, 3]

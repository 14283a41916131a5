"""Database intake where processes die in the middle, and where several read: each row becomes one job."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from streamq_service.intake import following
from streamq_service.intake.claims import Claims
from streamq_service.intake.database import Database, DatabaseUnavailable, Row
from streamq_service.messaging import messaging_app
from streamq_service.messaging.rows import tables

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, until
from .conftest import Service
from .intake import Base, Settings, reading
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

MANY = """
    INSERT INTO sms_queue (workspace_id, phone_number, message)
    SELECT '66338', '+15550100199', 'm' || n FROM generate_series(1, $1::int) AS n"""
DUE = "UPDATE sms_queue SET look_at = now()"
"""Makes claims stale, as time does."""


class Cut(Database):
    """A database whose connection breaks at a statement: before it is done, or after."""

    def __init__(self, url: str, words: str, *, done: bool) -> None:
        super().__init__(lambda: url)
        self.words, self.done = words, done

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        if self.words not in statement:
            return await super().fetch(statement, *values)
        if self.done:
            await super().fetch(statement, *values)
        raise DatabaseUnavailable("the connection broke")


@pytest.mark.parametrize(
    ("words", "done", "jobs"),
    [
        ("claim = gen_random_uuid()", False, 0),
        ("claim = gen_random_uuid()", True, 0),
        ("SET job_queue = x.queue", False, 20),
        ("SET job_queue = x.queue", True, 20),
    ],
    ids=["before the claim", "after the claim", "before the job is written down", "after it"],
)
async def test_whoever_dies_between_two_steps_leaves_rows_of_which_others_make_one_job_each(
    base: Base, settings: Settings, sandbox: Service, words: str, done: bool, jobs: int
) -> None:
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)
    await base.connection.execute(MANY, 20)
    async with messaging_app(known) as app, Cut(base.url, words, done=done) as database:
        dying = Claims(app, database, tables(known)[0], batch=100, poll=0.2)
        with pytest.raises(DatabaseUnavailable):
            await dying.take()
        counts = await app.queue("send-sms-queue").counts()
        assert counts.waiting + counts.held == jobs
    await base.connection.execute(DUE)
    async with reading(known) as app:
        await until(lambda: _complete(base, 20), 20.0)
        assert (await app.queue("send-sms-queue").counts()).completed == 20
    assert len(await calls(sandbox)) == 20


async def _complete(base: Base, count: int) -> bool:
    return (await base.statuses("sms_queue")).get("complete", 0) >= count


async def test_a_claim_that_is_too_old_fails_as_unknown_and_is_not_sent_again(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    row = await base.sms()
    await base.connection.execute(
        "UPDATE sms_queue SET status = 'processing', claim = gen_random_uuid(), look_at = now(),"
        " claimed_at = now() - interval '7 hours'"
    )
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)):
        assert (await base.ended("sms_queue", row, "failed"))["error"].startswith("unknown: ")
        assert not await calls(sandbox)
        await base.connection.execute("UPDATE sms_queue SET status = 'pending'")
        await base.ended("sms_queue", row)
    assert len(await calls(sandbox)) == 1


async def test_rows_that_an_older_service_has_under_way_are_left_to_it(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    row = await base.sms()
    await base.connection.execute("UPDATE sms_queue SET status = 'processing'")
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)):
        await base.ended("sms_queue", await base.sms("another"))
    assert (await base.row("sms_queue", row))["status"] == "processing"


async def test_two_services_read_one_table_and_each_row_is_one_job(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, intake_batch=7, keep_completed=10_000)
    async with reading(known) as app, reading(known):
        for _ in range(4):
            await base.connection.execute(MANY, 100)
        await until(lambda: _complete(base, 400), 60.0)
        assert (await app.queue("send-sms-queue").counts()).completed == 400
    jobs = await base.connection.fetchval("SELECT count(DISTINCT job_id) FROM sms_queue")
    assert (jobs, len(await calls(sandbox))) == (400, 400)


async def test_in_a_flood_rows_say_how_their_messages_ended_though_the_records_of_their_jobs_are_gone(
    base: Base, settings: Settings, sandbox: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "WATCHED", 3)
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.5, keep_completed=2)
    async with reading(known) as app:
        await base.connection.execute(MANY, 200)
        await until(lambda: _complete(base, 200), 60.0)
        assert (await app.queue("send-sms-queue").counts()).completed == 2
    assert await base.statuses("sms_queue") == {"complete": 200}


async def test_what_ends_while_a_worker_stops_is_written_down(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await sandbox.send("PUT", "/behaviour", {"delay": 0.5})
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)):
        row = await base.sms()
        await until(lambda: calls(sandbox))
    assert (await base.row("sms_queue", row))["status"] == "complete"


@pytest.mark.slow
async def test_processes_that_are_killed_again_and_again_lose_and_double_no_row(
    base: Base, settings: Settings, sandbox: Service, tmp_path: Path, server_url: str, prefix: str
) -> None:
    given = {
        "prefix": prefix, "intake_url": base.url, "sms_api_url": sandbox.url, "intake_poll": 0.5, "intake_batch": 20,
        "lease": 2, "beat": 0.5, "sms_backoff": 0.05,
    }  # fmt: skip
    fleet = Fleet(server_url, tmp_path, given)
    words = ("streamq", "worker", "streamq_service.messaging:app")
    workers = [fleet.run(*words) for _ in range(2)]
    try:
        for _ in range(5):
            await base.connection.execute(MANY, 100)
            await asyncio.sleep(random.uniform(0.3, 1.0))  # noqa: S311  # anywhere in its work
            killed = workers.pop(0)
            killed.kill()
            await asyncio.to_thread(killed.wait)
            workers.append(fleet.run(*words))
        await until(lambda: _complete(base, 500), 90.0)
    finally:
        fleet.close()
    keys: dict[str, set[str]] = defaultdict(set)
    _, _, ledger = await sandbox.get("/ledger?limit=10000")  # what was under way at a kill may be there twice
    for call in ledger["calls"]:
        keys[call["body"]["message"]].add(call["idempotency_key"])
    rows = await base.connection.fetch("SELECT message, count(*) AS n FROM sms_queue GROUP BY message")
    assert {message: len(found) for message, found in keys.items()} == {
        row["message"]: row["n"] for row in rows
    }

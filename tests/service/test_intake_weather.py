"""Database intake in bad weather: nothing is lost, nothing is sent twice, and no table waits for another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from streamq import App

from ..postgres import Postgres, found_programs
from ..rig import ON_ONE_SERVER, until
from ..servers import Server, binary_of
from .conftest import Service
from .intake import Base, Settings, connected, migrated, reading
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server for this test alone, not yet started."""
    server = Postgres(found_programs())
    yield server
    server.close()


async def note(app: App, words: str) -> None:
    """Wait until the note of the intake has these words."""
    await until(
        lambda: any(words in each.text for each in app.notes.listed if each.subject == "intake"), 20.0
    )


async def no_note(app: App) -> None:
    """Wait until there is none."""
    await until(lambda: not [each for each in app.notes.listed if each.subject == "intake"], 40.0)


async def sent(sandbox: Service) -> Counter[str]:
    """How often each message was sent."""
    return Counter(call["body"]["message"] for call in await calls(sandbox))


async def test_a_worker_begins_without_its_database_says_so_and_reads_it_when_it_is_there(
    own_postgres: Postgres, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=own_postgres.url)) as app:
        await note(app, "sms_queue: the database says")
        own_postgres.start()
        await note(app, "run streamq intake init")
        await migrated(own_postgres.url)
        async with connected(own_postgres.url) as base:
            await base.ended("sms_queue", await base.sms())
        await no_note(app)


async def test_a_restart_or_a_crash_of_the_database_loses_and_doubles_nothing(
    own_postgres: Postgres, settings: Settings, sandbox: Service
) -> None:
    own_postgres.start()
    await migrated(own_postgres.url)
    async with reading(
        settings(sms_api_url=sandbox.url, intake_url=own_postgres.url, intake_poll=0.5)
    ) as app:
        for way in (own_postgres.stop, own_postgres.kill):
            async with connected(own_postgres.url) as base:
                await base.connection.execute(MANY, way.__name__)
            way()
            await note(app, "the database")
            own_postgres.start()
        async with connected(own_postgres.url) as base:
            await until(lambda: _complete(base, 600), 60.0)
            assert (await base.statuses("sms_queue")) == {"complete": 600}
    assert set((await sent(sandbox)).values()) == {1}
    assert len(await sent(sandbox)) == 600


MANY = """
    INSERT INTO sms_queue (workspace_id, phone_number, message)
    SELECT '66338', '+15550100199', $1 || n FROM generate_series(1, 300) AS n"""


async def _complete(base: Base, count: int) -> bool:
    return (await base.statuses("sms_queue")).get("complete", 0) >= count


async def test_a_missing_table_is_told_and_the_others_are_read(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await base.connection.execute("DROP TABLE email_queue; ALTER TABLE ai_response_queue DROP COLUMN claim")
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)) as app:
        await note(app, 'email_queue: relation "email_queue" does not exist: run streamq intake init')
        await note(app, "ai_response_queue: column")
        await base.ended("sms_queue", await base.sms())


async def test_a_read_only_database_keeps_its_rows_until_it_can_be_written(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    name = base.url.rpartition("/")[2]
    await base.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    row = await base.sms()
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)) as app:
        await note(app, "read-only transaction")
        assert not await calls(sandbox)
        await base.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        async with connected(base.url.rpartition("/")[0] + "/postgres") as server:
            await server.connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
                " AND application_name = 'streamq'",
                name,
            )
        await base.ended("sms_queue", row)
    assert len(await calls(sandbox)) == 1


async def test_an_address_that_is_renewed_in_its_file_is_taken_up(
    base: Base, settings: Settings, sandbox: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    file.write_text(base.url.replace("tester@", "nobody@"))
    file.chmod(0o600)
    monkeypatch.setenv("STREAMQ_INTAKE_URL_FILE", str(file))
    async with reading(settings(sms_api_url=sandbox.url)) as app:
        await note(app, 'role "nobody" does not exist')
        file.write_text(base.url)
        await base.ended("sms_queue", await base.sms())


async def test_a_table_that_is_made_anew_with_other_ids_is_read(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)):
        await base.ended("sms_queue", await base.sms("before"))
        await base.connection.execute("""
            ALTER TABLE sms_queue ALTER COLUMN id DROP IDENTITY;
            ALTER TABLE sms_queue ALTER COLUMN id TYPE uuid USING gen_random_uuid(),
                ALTER COLUMN id SET DEFAULT gen_random_uuid()""")
        await base.ended("sms_queue", await base.sms("after"))
    assert await sent(sandbox) == {"before": 1, "after": 1}


async def test_a_locked_row_waits_and_the_others_do_not(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    locked = await base.sms("locked")
    async with connected(base.url) as other:
        transaction = other.connection.transaction()
        await transaction.start()
        await other.connection.execute("SELECT 1 FROM sms_queue FOR UPDATE")
        async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)):
            await base.ended("sms_queue", await base.sms("free"))
            assert await sent(sandbox) == {"free": 1}
            await transaction.rollback()
            await base.ended("sms_queue", locked)


async def test_a_database_that_hangs_holds_up_no_request_and_no_job(
    own_postgres: Postgres, settings: Settings, sandbox: Service
) -> None:
    own_postgres.start()
    await migrated(own_postgres.url)
    async with (
        reading(settings(sms_api_url=sandbox.url, intake_url=own_postgres.url, intake_poll=0.2)) as app,
        connected(own_postgres.url) as base,
    ):
        await base.ended("sms_queue", await base.sms("before"))
        lock = base.connection.transaction()
        await lock.start()
        await base.connection.execute("LOCK TABLE sms_queue IN ACCESS EXCLUSIVE MODE")
        payload = {"to": "+15550100199", "message": "beside", "workspace_id": 1}
        job = await app.enqueue("send-sms-queue", "send-sms", payload)
        await job.result(timeout=5)
        mail = await base.write("streamq_outbox", queue="other", task="other")
        await lock.commit()
        row = await base.sms("after")
        await base.ended("sms_queue", row)
        await until(lambda: _gone(base, mail))
    assert await sent(sandbox) == {"before": 1, "beside": 1, "after": 1}


async def test_a_worker_ends_in_time_while_its_database_hangs_and_nothing_is_lost(
    own_postgres: Postgres, settings: Settings, sandbox: Service
) -> None:
    own_postgres.start()
    await migrated(own_postgres.url)
    known = settings(sms_api_url=sandbox.url, intake_url=own_postgres.url, intake_poll=0.2)
    async with connected(own_postgres.url) as base:
        async with reading(known):
            await base.ended("sms_queue", await base.sms("before"))
            await base.connection.execute(MANY, "m")
            await until(lambda: calls(sandbox))
            own_postgres.pause()
            begun = monotonic()
        assert monotonic() - begun < 20
        own_postgres.resume()
        await base.connection.execute("UPDATE sms_queue SET look_at = now()")
        async with reading(known):
            await until(lambda: _complete(base, 301), 60.0)
    assert set((await sent(sandbox)).values()) == {1}


async def _gone(base: Base, row: str) -> bool:
    return not await base.connection.fetchval("SELECT count(*) FROM streamq_outbox WHERE id::text = $1", row)


async def test_while_the_server_of_the_queues_is_away_rows_stay_pending(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    binary = binary_of("redis")
    assert binary is not None
    with Server(binary, tcp=True, aof=True) as server:
        known = settings(redis_url=server.url, sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)
        async with reading(known) as app:
            await base.ended("sms_queue", await base.sms("before"))
            server.stop()
            await note(app, "sms_queue")
            rows = [await base.sms(f"meanwhile {number}") for number in range(5)]
            await asyncio.sleep(0)
            server.start()
            for row in rows:
                await base.ended("sms_queue", row)
    assert set((await sent(sandbox)).values()) == {1}


async def test_rows_for_which_their_group_has_no_room_wait_in_the_table_and_others_pass_them(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)) as app:
        tenant = app.queue("send-sms-queue").group("66338")
        await tenant.limit(max_waiting=30)
        await tenant.pause("a moment")
        await base.connection.execute(MANY, "m")
        await base.ended("sms_queue", await base.sms("of another", workspace_id="7"))
        await until(lambda: _waits(base), 30.0)
        said = await base.connection.fetch("SELECT error FROM sms_queue WHERE status = 'pending'")
        assert {"is full" in row["error"] for row in said} == {True}
        await tenant.resume()
        await until(lambda: _complete(base, 300), 60.0)
    assert set((await sent(sandbox)).values()) == {1}


async def _waits(base: Base) -> bool:
    return (await base.statuses("sms_queue")) == {"processing": 30, "pending": 270, "complete": 1}


async def test_an_id_may_be_a_uuid_and_a_workspace_a_number(
    bare: Base, settings: Settings, sandbox: Service
) -> None:
    """As in the table of an older service, which keeps its columns and gets those that it lacks."""
    await bare.connection.execute("""
        CREATE TABLE sms_queue (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id bigint NOT NULL, contact_id uuid,
            phone_number text NOT NULL, message text NOT NULL, status varchar(20) NOT NULL DEFAULT 'pending'
        )""")
    old = await bare.sms("old", workspace_id=66338)
    await migrated(bare.url)
    await migrated(bare.url)
    async with reading(settings(sms_api_url=sandbox.url, intake_url=bare.url)):
        await bare.ended("sms_queue", old)
        await bare.ended("sms_queue", await bare.sms("new", workspace_id=66338))
    assert [call["body"]["workspaceId"] for call in await calls(sandbox)] == [66338, 66338]
    with pytest.raises(asyncpg.UndefinedColumnError):
        await bare.connection.execute("SELECT nothing FROM sms_queue")

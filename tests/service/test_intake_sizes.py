"""Large rows: a worker reads what is its own, and no more of it at once than fits."""

from __future__ import annotations

import psutil
import pytest
from streamq_service.intake.table import BYTES

from ..rig import ON_ONE_SERVER, until
from .conftest import Service
from .intake import Base, Settings, reading
from .test_messages import calls
from .weathers import MEGABYTE

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
MANY = """INSERT INTO sms_queue (workspace_id, phone_number, message{more})
    SELECT '1', '+15550100199', {message} {picture} FROM generate_series(1, $1) AS g"""


async def test_rows_above_the_limit_of_a_payload_fail_and_are_not_read(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await base.connection.execute(
        MANY.format(more="", picture="", message="repeat(md5(g::text), 65536)"), 100
    )
    known = settings(sms_api_url=sandbox.url, intake_url=base.url)
    before = psutil.Process().memory_info().rss
    async with reading(known):
        await until(lambda: _all(base, {"failed": 100}), 60.0)
        row = await base.ended("sms_queue", await base.sms("fine"))
    assert psutil.Process().memory_info().rss - before < 60 * MEGABYTE
    assert row["error"] is None
    errors = await base.connection.fetch("SELECT DISTINCT error FROM sms_queue WHERE status = 'failed'")
    assert [each["error"] for each in errors] == ["the row has 2,097,165 bytes, and a payload at most 65,536"]


async def test_a_column_that_is_not_ours_is_not_read_however_large_it_is(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await base.connection.execute("ALTER TABLE sms_queue ADD COLUMN picture bytea")
    picture = ", decode(repeat('ab', 3000000), 'hex')"
    await base.connection.execute(MANY.format(more=", picture", picture=picture, message="'hi ' || g"), 40)
    before = psutil.Process().memory_info().rss
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)):
        await until(lambda: _all(base, {"complete": 40}), 60.0)
    assert psutil.Process().memory_info().rss - before < 60 * MEGABYTE
    assert len(await calls(sandbox)) == 40


async def test_of_large_rows_fewer_are_taken_at_once_and_all_come_to_their_end(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await base.connection.execute(MANY.format(more="", picture="", message="repeat('x', 60000)"), 150)
    assert 2 * BYTES < 150 * 60_000
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, sms_max_length=100_000)
    async with reading(known):
        await until(lambda: _all(base, {"complete": 150}), 60.0)


async def _all(base: Base, wanted: dict[str, int]) -> bool:
    return await base.statuses("sms_queue") == wanted

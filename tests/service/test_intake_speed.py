"""How fast rows become jobs."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .intake import Base, Settings, reading

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

ROWS = 5_000
MANY = """
    INSERT INTO sms_queue (workspace_id, phone_number, message)
    SELECT '66338', '+15550100199', 'm' || n FROM generate_series(1, $1::int) AS n"""


async def jobs(app: App) -> int:
    """How many there are of rows of text messages."""
    counts = await app.queue("send-sms-queue").counts()
    return counts.waiting + counts.held


async def test_a_row_is_a_job_within_50_ms_of_its_commit(
    base: Base, settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    """By LISTEN, in the middle of many: a busy machine may not show it each time."""
    took = []
    async with reading(settings(intake_url=base.url, intake_poll=60)) as app:
        await app.queue("send-sms-queue").pause("measured")
        for number in range(50):
            await base.sms()
            committed = monotonic()
            await until(lambda number=number: _are(app, number + 1))
            took.append((monotonic() - committed) * 1000)
    took.sort()
    record_property("ms from the commit of a row to its job (median)", f"{took[25]:.1f}")
    record_property("ms from the commit of a row to its job (the worst of 50)", f"{took[-1]:.1f}")
    assert took[25] < 50


async def _are(app: App, count: int) -> bool:
    return await jobs(app) == count


async def test_a_thousand_rows_a_second_become_jobs(
    base: Base, settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    async with reading(settings(intake_url=base.url)) as app:
        await app.queue("send-sms-queue").pause("measured")
        await base.connection.execute(MANY, ROWS)
        begun = monotonic()
        await until(lambda: _are(app, ROWS), 30.0)
        rate = ROWS / (monotonic() - begun)
    record_property("rows a second that became jobs", f"{rate:,.0f}")
    assert rate > 1_000

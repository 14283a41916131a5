"""Database intake: a row becomes one job, and follows it to its end."""

from __future__ import annotations

import pytest

from ..rig import ON_ONE_SERVER, until
from .conftest import Service
from .intake import Base, Settings, reading
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


async def test_a_row_becomes_a_message_and_says_that_it_was_sent(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)):
        row = await base.sms("hello from a row", contact_id="c-1")
        said = await base.ended("sms_queue", row)
    ((body, _),) = [(call["body"], call) for call in await calls(sandbox)]
    assert body == {
        "to": "+15550100199", "message": "hello from a row", "contactId": "c-1", "workspaceId": "66338",
    }  # fmt: skip
    assert (said["attempts"], said["error"], said["job_queue"]) == (1, None, "send-sms-queue")

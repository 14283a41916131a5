"""What is read of a row, who may read it, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from streamq import Limit

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working
from .intake import Base, Settings, reading
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


async def test_columns_may_be_named_as_the_fields_of_requests_and_others_are_not_read(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    await base.connection.execute("""
        ALTER TABLE sms_queue DROP COLUMN phone_number, ADD COLUMN "to" bigint, ADD COLUMN secret text;
        ALTER TABLE email_queue DROP COLUMN recipient, ADD COLUMN "to" text[]""")
    known = settings(
        sms_api_url=sandbox.url, email_api_url=sandbox.url, sms_numbers="any", intake_url=base.url
    )
    async with reading(known):
        given = {"workspace_id": "7", "message": "hello", "secret": "x", '"to"': 12345}
        await base.ended("sms_queue", await base.write("sms_queue", **given))
        to = ["ada@example.com", "eve@example.com"]
        mail = {"workspace_id": "7", "subject": "Hi", "html": "<p>Hi</p>", '"to"': to}
        await base.ended("email_queue", await base.write("email_queue", **mail))
    sms, email = [call["body"] for call in await calls(sandbox)]
    assert sms == {"to": "12345", "message": "hello", "workspaceId": "7"}
    assert email["to"] == to


async def test_rows_of_e_mail_bring_attachments_and_are_checked_as_requests_are(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    mail: dict[str, Any] = {"workspace_id": "7", "subject": "Hi", "html": "<p>Hi</p>"}
    known = settings(email_api_url=sandbox.url, intake_url=base.url, email_max_attachments=10)
    file = '[{"name": "a.txt", "type": "text/plain", "content": "%s"}]'
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("recipient.0: is no address of e-mail", {"recipient": "nobody"}),
        ("subject: must not contain control characters", {"subject": "a\nBcc: eve@example.com"}),
        ("attachments: has 15 bytes, at most 10 are allowed", {"attachments": file % ("QUJD" * 5)}),
        ("attachments.0.content: is not base64", {"attachments": file % "?"}),
    ]
    async with reading(known):
        good = await base.write("email_queue", recipient="ada@example.com", attachments=file % "QUJD", **mail)
        await base.ended("email_queue", good)
        for reason, change in wrong:
            row = await base.write("email_queue", **{"recipient": "ada@example.com", **mail, **change})
            assert reason in (await base.ended("email_queue", row, "failed"))["error"]
    ((attachment,),) = [call["body"]["attachments"] for call in await calls(sandbox)]
    assert attachment["name"] == "a.txt"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"callback_url": "ftp://example.com"}, "callback_url: must be an address of http or https"),
        ({"callback_url": "https://login:pw@example.com"}, "callback_url: must not have a login in it"),
        ({"message_text": None}, "message_text: Field required"),
        ({"rate_limit_key": "no group: \n"}, "group="),
    ],
)
async def test_a_row_for_a_model_is_checked_as_a_request_is(
    base: Base, settings: Settings, change: dict[str, Any], reason: str
) -> None:
    given = {
        "workspace_id": "7", "contact_id": "c", "message_id": "m", "message_text": "Hi",
        "callback_url": "https://example.com/hook", **change,
    }  # fmt: skip
    async with reading(settings(ai_api_url="simulated", intake_url=base.url)):
        row = await base.write("ai_response_queue", **given)
        assert reason in (await base.ended("ai_response_queue", row, "failed"))["error"]


async def test_what_says_no_workspace_is_of_the_one_that_settings_say(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    known = settings(
        sms_api_url=sandbox.url, intake_url=base.url, default_workspace_id="9", default_contact_id="c-0"
    )
    async with reading(known):
        await base.ended("sms_queue", await base.sms(workspace_id=None))
    (body,) = [call["body"] for call in await calls(sandbox)]
    assert (body["workspaceId"], body["contactId"]) == ("9", "c-0")


async def test_a_limit_holds_for_rows_and_requests_together(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, sms_rate="4/h")
    async with running(known) as service, working(service.engine) as worker:
        await worker.is_ready.wait()
        await until(lambda: _limited(service))
        body = {"to": "+15550100199", "message": "by request", "workspaceId": 7}
        for _ in range(3):
            await service.post("/api/v1/messages/sms", body)
            await base.sms("by row")
        await until(lambda: _sent(sandbox, 4))
        assert (await base.statuses("sms_queue")).get("processing", 0) >= 1
        await service.engine.shared("sms").limit(rate="1000/s")
        await until(lambda: _sent(sandbox, 6))


async def _limited(service: Service) -> bool:
    return (await service.engine.shared("sms").status()).limit == Limit(rate="4/h")


async def _sent(sandbox: Service, count: int) -> bool:
    return len(await calls(sandbox)) == count


async def test_rows_are_sent_in_the_order_in_which_they_were_written(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    for number in range(30):
        await base.sms(str(number))
    known = settings(sms_api_url=sandbox.url, intake_url=base.url, intake_batch=7, sms_concurrency=1)
    async with reading(known):
        await until(lambda: _sent(sandbox, 30), 30.0)
    assert [call["body"]["message"] for call in await calls(sandbox)] == [str(n) for n in range(30)]


async def test_the_user_of_workers_needs_few_rights_and_is_told_which_it_lacks(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    role = base.url.rpartition("/")[2] + "_reader"
    await base.connection.execute(f"""
        CREATE ROLE {role} LOGIN;
        GRANT SELECT, UPDATE ON sms_queue, email_queue, ai_response_queue TO {role}""")
    url = base.url.replace("//tester@", f"//{role}@")
    try:
        async with reading(settings(sms_api_url=sandbox.url, intake_url=url)) as app:
            await base.ended("sms_queue", await base.sms())
            await until(lambda: "permission denied for table streamq_outbox" in str(app.notes.listed))
            await base.connection.execute(f"GRANT SELECT, UPDATE, DELETE ON streamq_outbox TO {role}")
            await base.write("streamq_outbox", queue="other", task="other")
            await until(lambda: _moved(base), 20.0)
    finally:
        await base.connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def _moved(base: Base) -> bool:
    return not await base.statuses("streamq_outbox")

"""Database intake: a row becomes one job, and follows it to its end."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from streamq import State

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working
from .intake import Base, Settings, reading
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


async def test_a_row_becomes_a_message_and_says_that_it_was_sent(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)):
        row = await base.sms("hello from a row", contact_id="c-1", metadata='{"campaign": "may"}')
        said = await base.ended("sms_queue", row)
    assert (said["attempts"], said["error"], said["job_queue"]) == (1, None, "send-sms-queue")
    assert said["finished_at"] >= said["claimed_at"] >= said["created_at"]
    assert [call["body"] for call in await calls(sandbox)] == [{
        "to": "+15550100199", "message": "hello from a row", "contactId": "c-1", "workspaceId": "66338",
        "campaign": "may",
    }]  # fmt: skip


async def test_rows_of_e_mail_and_of_ai_replies_go_the_way_of_requests(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    known = settings(
        email_api_url=sandbox.url, ai_api_url="simulated", callback_private=True, intake_url=base.url
    )
    async with reading(known) as app:
        mail = await base.write(
            "email_queue", workspace_id="7", recipient="ada@example.com", subject="Hi", html="<p>Hi</p>"
        )
        message = await base.write(
            "ai_response_queue", workspace_id="7", contact_id="c-1", message_id="m-1", message_text="Hello?",
            callback_url=f"{sandbox.url}/send-sms",
        )  # fmt: skip
        assert (await base.ended("email_queue", mail))["job_queue"] == "send-email-queue"
        said = await base.ended("ai_response_queue", message)
        job = await app.queue(said["job_queue"]).get(said["job_id"])
    assert (job.task, job.group, job.state) == ("ai-response", "7:c-1", State.COMPLETED)


async def test_a_message_that_came_as_a_row_and_as_a_request_is_answered_once(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    body = {
        "workspace_id": "7", "contact_id": "c-1", "message_id": "m-1", "message_text": "Hello?",
        "callback_url": f"{sandbox.url}/send-sms",
    }  # fmt: skip
    known = settings(ai_api_url="simulated", callback_private=True, intake_url=base.url)
    async with running(known) as service, working(service.engine):
        _, _, sent = await service.post("/api/v1/messages/ai", body)
        rows = [await base.write("ai_response_queue", **body) for _ in range(2)]
        jobs = {(await base.ended("ai_response_queue", row))["job_id"] for row in rows}
    assert jobs == {sent["id"]}
    assert len(await calls(sandbox)) == 1


async def test_a_row_with_a_time_waits_for_it_in_the_queue_and_one_whose_time_is_over_is_sent(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    now = datetime.now(UTC)
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)) as app:
        past = await base.sms("late", scheduled_for=now - timedelta(hours=1))
        future = await base.sms("early", scheduled_for=now + timedelta(hours=1))
        await base.ended("sms_queue", past)
        await until(lambda: _has_job(base, future))
        said = await base.row("sms_queue", future)
        job = await app.queue("scheduled-sms-queue").get(said["job_id"])
    assert (job.state, said["status"]) == (State.DELAYED, "processing")
    assert job.due_at is not None
    assert abs(job.due_at - now - timedelta(hours=1)) < timedelta(seconds=1)


async def _has_job(base: Base, row: str) -> bool:
    return bool((await base.row("sms_queue", row))["job_id"])


async def test_a_row_that_cannot_be_read_fails_with_all_reasons_and_the_others_go_on(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    wrong = {
        "phone_number: Field required": {"phone_number": None},
        "phone_number: is no telephone number": {"phone_number": "12"},
        "message: must not be empty": {"message": " "},
        "message: has 2,000 characters, at most 1,600 are allowed": {"message": "x" * 2000},
        "workspace_id: Field required": {"workspace_id": None},
        "metadata: Input should be a valid dictionary": {"metadata": "[1]"},
        "scheduled_for: ": {"scheduled_for": datetime.max.replace(tzinfo=UTC)},
    }
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_batch=3)):
        rows = {reason: await base.sms(**given) for reason, given in wrong.items()}
        good = await base.sms("fine")
        await base.ended("sms_queue", good)
        for reason, row in rows.items():
            assert reason in (await base.ended("sms_queue", row, "failed"))["error"]
    assert len(await calls(sandbox)) == 1


async def test_a_row_follows_its_job_through_errors_to_its_failure(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    known = settings(
        sms_api_url=sandbox.url, intake_url=base.url, sms_attempts=2, sms_backoff=6, intake_poll=0.2
    )
    await sandbox.send("PUT", "/behaviour", {"status": 500})
    async with reading(known) as app:
        row = await base.sms()
        said = await base.ended("sms_queue", row, "error")
        assert said["attempts"] == 1
        assert "500" in said["error"]
        await app.queue(said["job_queue"]).promote(said["job_id"])
        said = await base.ended("sms_queue", row, "failed")
    assert (said["attempts"], "500" in said["error"]) == (2, True)


async def test_a_row_whose_job_is_cancelled_fails_with_the_reason_and_may_be_sent_again(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)) as app:
        queue = app.queue("send-sms-queue")
        await queue.pause("a moment")
        row = await base.sms()
        await until(lambda: _has_job(base, row))
        first = (await base.row("sms_queue", row))["job_id"]
        await queue.cancel(first, "wrong text")
        assert "wrong text" in (await base.ended("sms_queue", row, "failed"))["error"]
        await base.connection.execute("UPDATE sms_queue SET status = 'pending'")
        await queue.resume()
        said = await base.ended("sms_queue", row)
    assert (said["error"], said["job_id"] != first) == (None, True)
    assert len(await calls(sandbox)) == 1


async def test_a_row_whose_job_has_no_record_any_more_says_that_nobody_knows(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)) as app:
        await app.queue("scheduled-sms-queue").pause("a moment")
        row = await base.sms(scheduled_for=datetime.now(UTC) + timedelta(hours=1))
        await until(lambda: _has_job(base, row))
        queue = app.queue("scheduled-sms-queue")
        job = (await base.row("sms_queue", row))["job_id"]
        await queue.cancel(job)
        await queue.delete(job)
        await base.connection.execute("UPDATE sms_queue SET look_at = now()")
        assert "gone" in (await base.ended("sms_queue", row, "failed"))["error"]


async def test_a_row_that_is_deleted_meanwhile_is_missed_by_nobody(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.2)) as app:
        await app.queue("send-sms-queue").pause("a moment")
        row = await base.sms(contact_id="c-9")
        await until(lambda: _has_job(base, row))
        await base.connection.execute("DELETE FROM sms_queue WHERE contact_id = 'c-9'")
        await app.queue("send-sms-queue").resume()
        await until(lambda: calls(sandbox))
        await base.ended("sms_queue", await base.sms("another"))
        assert not app.notes.listed


async def test_a_worker_says_in_a_line_what_it_reads_and_the_channels_have_its_rows(
    base: Base, settings: Settings, sandbox: Service, caplog: pytest.LogCaptureFixture
) -> None:
    await base.sms(phone_number="none")
    with caplog.at_level(logging.INFO, "streamq.intake"):
        known = settings(sms_api_url=sandbox.url, intake_url=base.url, intake_poll=0.5)
        async with running(known) as service, working(service.engine):

            async def counted() -> bool:
                _, _, told = await service.get("/api/v1/channels")
                last = told["data"][-1]
                return bool(last["name"] == "intake" and last["counts"] == {"failed": 1})

            await until(counted, 25.0)
    line = (
        "channel intake: 200 rows at once, doorbell LISTEN, looks every 0.5 s, tables sms_queue, email_queue, "
        "ai_response_queue, streamq_outbox"
    )
    assert [record.message for record in caplog.records].count(line) == 1


async def test_what_a_message_says_comes_through_unchanged(
    base: Base, settings: Settings, sandbox: Service
) -> None:
    texts = [
        "a\nb\t",
        "naïve ☕ 𝄞",
        "'; DROP TABLE sms_queue; --",
        '{"a": "\\u0041"}',
        "\\x41 %s $1 {}",
        "\u202eabc",
    ]
    async with reading(settings(sms_api_url=sandbox.url, intake_url=base.url)):
        for text in texts:
            await base.ended(
                "sms_queue", await base.sms(text, metadata=json.dumps({"big": 2**70, "text": text}))
            )
    sent = [call["body"] for call in await calls(sandbox)]
    assert [(body["message"], body["text"], body["big"]) for body in sent] == [(t, t, 2**70) for t in texts]

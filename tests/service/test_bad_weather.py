"""Whatever a provider, a model or a callback target does: a clear end or another try, and others go on meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil
import pytest
from streamq_service.messaging.caller import EXCERPT

from ..rig import ON_ONE_SERVER
from .conftest import Service, running
from .peers import Make, Work
from .providers import provider_saying
from .test_messages import calls
from .weathers import AGAIN, MEGABYTE, NO_REPLY, REPLIES, TAKEN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
SMS: dict[str, Any] = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
MAIL: dict[str, Any] = {"to": "ada@example.com", "subject": "s", "html": "<p>hello", "workspaceId": 66338}
QUESTION: dict[str, Any] = {
    "workspace_id": 66338,
    "contact_id": "c-9",
    "message_id": "m-1",
    "message_text": "Free?",
}
QUICK: dict[str, Any] = {
    "sms_timeout": 0.4, "sms_attempts": 2, "sms_backoff": 0.02, "callback_timeout": 0.4, "callback_attempts": 2,
    "email_timeout": 0.4, "email_attempts": 2, "email_backoff": 0.02,
    "callback_backoff": 0.02, "callback_private": True, "ai_first_token": 0.4, "ai_next_token": 0.4, "ai_timeout": 1.0,
}  # fmt: skip


async def ended(service: Service, path: str, body: dict[str, Any]) -> Any:
    """The job of a message, once it has ended."""
    return (await service.post(path, body, Prefer="wait=20"))[2]


async def all_ended(
    service: Service, *bad: tuple[str, dict[str, Any]], well: tuple[str, dict[str, Any]]
) -> list[Any]:
    """The jobs of messages in bad weather. One of another channel gets through meanwhile."""
    tasks = [asyncio.create_task(ended(service, *each)) for each in bad]
    assert (await ended(service, *well))["state"] == "completed"
    return await asyncio.gather(*tasks)


def check(jobs: list[Any], state: str, attempts: int) -> None:
    """They have ended as they should, and say why in a sentence or two."""
    for job in jobs:
        assert (job["state"], job["attempt"]) == (state, attempts), job
        assert len(str((job["error"] or {}).get("message", ""))) < EXCERPT + 100
        assert job["error"] or state == "completed"


TO_PROVIDERS = [
    *((name, "completed", 1) for name in TAKEN), *((name, "failed", 2) for name in AGAIN),
]  # fmt: skip


@pytest.mark.parametrize(("name", "state", "attempts"), TO_PROVIDERS, ids=[row[0] for row in TO_PROVIDERS])
async def test_a_provider_and_a_callback_take_a_message_by_their_status_or_are_tried_again(
    settings: Make, sandbox: Service, work: Work, name: str, state: str, attempts: int
) -> None:
    async with (
        provider_saying((TAKEN | AGAIN)[name]) as url,
        running(
            settings(sms_api_url=url, email_api_url=sandbox.url, ai_api_url="simulated", **QUICK)
        ) as service,
        work(service.engine),
    ):
        question = {**QUESTION, "callback_url": url}
        bad = ("/api/schedule-sms", SMS), ("/api/ai-response", question)
        check(await all_ended(service, *bad, well=("/api/schedule-email", MAIL)), state, attempts)


NOT_REPLIED = {**TAKEN, **AGAIN, **NO_REPLY}


@pytest.mark.parametrize("name", NOT_REPLIED)
async def test_a_model_that_does_not_reply_is_asked_again_and_nobody_is_called_back(
    settings: Make, sandbox: Service, work: Work, name: str
) -> None:
    async with (
        provider_saying(NOT_REPLIED[name]) as url,
        running(settings(sms_api_url=sandbox.url, ai_api_url=url, **QUICK)) as service,
        work(service.engine),
    ):
        question = {**QUESTION, "callback_url": f"{sandbox.url}/send-sms"}
        jobs = await all_ended(service, ("/api/ai-response", question), well=("/api/schedule-sms", SMS))
        check(jobs, "failed", 2)
        assert len(await calls(sandbox)) == 1, "that of the text message"


@pytest.mark.parametrize("name", REPLIES)
async def test_a_reply_that_has_ended_counts_however_its_stream_ends(
    settings: Make, sandbox: Service, work: Work, name: str
) -> None:
    async with (
        provider_saying(REPLIES[name]) as url,
        running(settings(ai_api_url=url, **QUICK)) as service,
        work(service.engine),
    ):
        job = await ended(
            service, "/api/ai-response", {**QUESTION, "callback_url": f"{sandbox.url}/send-sms"}
        )
        assert (job["result"]["reply"], job["result"]["tokens"], job["attempt"]) == ("Hello.", 1, 1)
        assert [call["body"]["message"] for call in await calls(sandbox)] == ["Hello."]


@pytest.mark.parametrize("name", ["html", "a gigabyte", "never answers", "a garbage status line"])
async def test_a_service_of_e_mail_is_understood_as_that_of_text_messages(
    settings: Make, sandbox: Service, work: Work, name: str
) -> None:
    async with (
        provider_saying((TAKEN | AGAIN)[name]) as url,
        running(settings(sms_api_url=sandbox.url, email_api_url=url, **QUICK)) as service,
        work(service.engine),
    ):
        jobs = await all_ended(service, ("/api/schedule-email", MAIL), well=("/api/schedule-sms", SMS))
        check(jobs, *(("completed", 1) if name in TAKEN else ("failed", 2)))


GIGABYTES = [
    name for name in {**TAKEN, **AGAIN, **NO_REPLY} if "gigabyte" in name or "without an end" in name
]


@pytest.mark.parametrize("name", [*GIGABYTES, "a bomb"])
async def test_of_an_answer_of_a_gigabyte_little_is_read_and_less_is_kept(
    settings: Make, work: Work, name: str
) -> None:
    said, counted = {**TAKEN, **AGAIN, **NO_REPLY}[name], [0]

    async def counting(writer: asyncio.StreamWriter, head: bytes) -> None:
        write = writer.write

        def count(data: bytes) -> None:
            counted[0] += len(data)
            write(data)

        writer.write = count  # type: ignore[method-assign]
        if isinstance(said, bytes):
            writer.write(said)
        else:
            await said(writer, head)

    async with (
        provider_saying(counting) as url,
        running(settings(sms_api_url=url, ai_api_url=url, **QUICK)) as service,
        work(service.engine),
    ):
        before = psutil.Process().memory_info().rss
        bad = ("/api/schedule-sms", SMS), ("/api/ai-response", {**QUESTION, "callback_url": url})
        await asyncio.gather(*(ended(service, *each) for each in bad))
        grown = psutil.Process().memory_info().rss - before
    assert grown < 30 * MEGABYTE
    assert counted[0] < 60 * MEGABYTE, "of all attempts together, with what lies in the buffers of the system"

"""Logs: one line for what becomes of a message, and nowhere its words or the whole of its recipient."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from streamq_service.messaging.callback import Callbacks
from streamq_service.messaging.provider import HttpProvider
from streamq_service.messaging.smtp import Smtp

from streamq import JobFilter
from streamq.logs import Console, Json

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running
from .mailbox import mail_server
from .peers import Make, Work
from .providers import provider_saying
from .test_bad_weather import QUICK

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
WORDS = 'Dear Ada, your secret code is "QX7K-ÄÖ" & it\'s valid'
NUMBER, MAIL = "+15550100199", "ada.lovelace@example.com"
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "sms": ("/api/schedule-sms", {"to": NUMBER, "message": WORDS, "workspaceId": 66338, "contactId": "c-9"}),
    "email": ("/api/schedule-email", {"to": MAIL, "subject": WORDS, "html": f"<p>{WORDS}", "workspaceId": 66338}),
    "ai": (
        "/api/ai-response",
        {"workspace_id": 66338, "contact_id": NUMBER, "message_id": "m-1", "message_text": WORDS, "callback_url": ""},
    ),
}  # fmt: skip
SECRETS = [
    NUMBER,
    NUMBER[1:],
    "5550100199",
    "555 010",
    "555-010",
    MAIL,
    MAIL.upper(),
    quote(MAIL, safe=""),
    "QX7K",
    "Dear Ada",
]
"""Of the message, in several forms."""


class Kept(logging.Handler):
    """Every record of every logger, as both formats write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(JobFilter())
        self.lines: list[dict[str, Any]] = []
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "mail.log":  # of the mail server of the tests
            return
        line = Json().format(record)
        self.lines.append(json.loads(line))
        self.text += (
            f"{json.dumps(json.loads(line), ensure_ascii=False)}\n{line}\n{Console().format(record)}\n"
        )

    def outcomes(self) -> list[dict[str, Any]]:
        """The lines of messages."""
        return [line for line in self.lines if "status" in line and line["logger"] == "streamq.messaging"]


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept, loggers = Kept(), [logging.getLogger(name) for name in (None, "streamq", "asyncio", "aiohttp")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(kept)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield kept
    loggers[0].removeHandler(kept)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def nothing_private(text: str) -> None:
    """Also no half of it."""
    for secret in SECRETS:
        assert secret not in text, text[max(0, text.index(secret) - 300) :][:700]


async def echo(writer: asyncio.StreamWriter, head: bytes, status: int = 400) -> None:
    """A provider that repeats all that it was sent, in several forms."""
    if b"send-email" in head:
        await said_by(writer, status, f"{MAIL} {MAIL.upper()} {quote(MAIL, safe='')} {NUMBER}")
    else:
        await said_by(writer, status, f"{NUMBER} {MAIL} +1 (555) 010-0199 0015550100199 1.555.010.0199")


async def said_by(writer: asyncio.StreamWriter, status: int, whom: str) -> None:
    said = f"{status} for {whom}: {WORDS} / {json.dumps(WORDS)} / Thank you for your message: {WORDS}"
    body = said.encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)


async def ended(service: Service, channel: str, url: str = "") -> Any:
    path, body = SENT[channel]
    body = {**body, "callback_url": f"{url}/hook"} if channel == "ai" else body
    return (await service.post(path, body, Prefer="wait=10"))[2]


def of(channel: str, url: str) -> dict[str, Any]:
    """Settings under which a channel, or its callback, goes to a provider."""
    more = {"sms": {"sms_api_url": url}, "email": {"email_api_url": url}, "ai": {"ai_api_url": "simulated"}}[
        channel
    ]
    return {**QUICK, **more}


SHOWN = {"sms": "+1555…99", "email": "a…@example.com", "ai": "+1555…99"}


@pytest.mark.parametrize("channel", SENT)
async def test_a_message_that_is_sent_is_one_line_that_says_all_but_its_words(
    settings: Make, sandbox: Service, work: Work, kept: Kept, channel: str
) -> None:
    async with running(settings(**of(channel, sandbox.url))) as service, work(service.engine):
        path, body = SENT[channel]
        given = {**body, "callback_url": f"{sandbox.url}/send-sms"} if channel == "ai" else body
        job = (await service.post(path, given, Prefer="wait=10"))[2]
        assert job["state"] == "completed"
    (line,) = kept.outcomes()
    told = {
        name: line[name]
        for name in ("level", "channel", "workspace", "recipient", "status", "job", "attempt")
    }
    assert told == {
        "level": "info", "channel": channel, "workspace": 66338, "recipient": SHOWN[channel], "status": "sent",
        "job": job["id"], "attempt": 1,
    }  # fmt: skip
    assert 0 <= line["seconds"] < 10
    nothing_private(kept.text)


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
@pytest.mark.parametrize("channel", SENT)
async def test_a_provider_that_repeats_what_it_was_sent_is_not_repeated_by_any_line(
    settings: Make, work: Work, kept: Kept, channel: str, status: int
) -> None:
    async def say(writer: asyncio.StreamWriter, head: bytes) -> None:
        await echo(writer, head, status)

    async with (
        provider_saying(say) as url,
        running(settings(**of(channel, url))) as service,
        work(service.engine),
    ):
        path, body = SENT[channel]
        await service.post(path, {**body, "callback_url": f"{url}/hook"} if channel == "ai" else body)
        await until(kept.outcomes)
        if status in (400, 500, 503):
            await until(lambda: kept.outcomes()[-1]["status"] == "failed")
        await asyncio.sleep(0)
    assert {line["status"] for line in kept.outcomes()} <= {"failed", "retried", "waits"}
    assert status == 403 or f"{status} for " in kept.text, "the rest of the words is there"
    nothing_private(kept.text)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_model_that_repeats_a_conversation_is_not_repeated_by_any_line(
    settings: Make, sandbox: Service, work: Work, kept: Kept, status: int
) -> None:
    async def say(writer: asyncio.StreamWriter, head: bytes) -> None:
        await echo(writer, head, status)

    async with (
        provider_saying(say) as url,
        running(settings(**{**QUICK, "ai_api_url": url})) as service,
        work(service.engine),
    ):
        assert (await ended(service, "ai", sandbox.url))["state"] == "failed"
    nothing_private(kept.text)


async def test_a_mail_server_that_repeats_what_it_was_sent_is_not_repeated_by_any_line(
    settings: Make, work: Work, kept: Kept
) -> None:
    async with mail_server() as mailbox:
        given = {**QUICK, "smtp_url": mailbox.url, "email_from": "shop@example.com"}
        async with running(settings(**given)) as service, work(service.engine):
            for refused, answers in (
                ({}, []), ({MAIL: f"550 no {MAIL}"}, []), ({MAIL: f"450 <{MAIL}> busy"}, []),
                ({}, [f"554 spam: {WORDS.encode('ascii', 'replace').decode()} to {MAIL}"]),
            ):  # fmt: skip
                mailbox.refused, mailbox.answers = refused, answers
                await ended(service, "email")
    assert [line["status"] for line in kept.outcomes()] == ["sent", "failed", "retried", "failed", "failed"]
    nothing_private(kept.text)


class Odd(Exception):
    """An error that tells all, as does its cause."""

    def __str__(self) -> str:
        return f"while sending {WORDS!r} to {NUMBER} and {MAIL}"


async def crash(*_: Any, **__: Any) -> Any:
    try:
        int(json.dumps({"to": [NUMBER, MAIL], "message": WORDS}))
    except ValueError as error:
        raise Odd from error


@pytest.mark.parametrize("channel", SENT)
async def test_a_handler_that_crashes_with_the_message_in_its_error_shows_none_of_it(
    settings: Make, sandbox: Service, work: Work, kept: Kept, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    for kind in (HttpProvider, Smtp, Callbacks):
        monkeypatch.setattr(kind, "send", crash)
    async with running(settings(**of(channel, sandbox.url))) as service, work(service.engine):
        job = await ended(service, channel, sandbox.url)
        assert (job["state"], job["error"]["type"]) == ("failed", "Odd")
        nothing_private(str(job["error"]) + str((await service.get("/api/v1/failures"))[2]))
    assert [line["status"] for line in kept.outcomes()] == ["retried", "failed"]
    assert "crash" in kept.text, "the traceback is there"
    nothing_private(kept.text)


async def test_a_payload_that_is_none_and_a_body_that_is_refused_show_nothing(
    settings: Make, work: Work, kept: Kept
) -> None:
    async with running(settings(**QUICK)) as service, work(service.engine):
        wrong = {"to": NUMBER, "message": WORDS, "workspace_id": 1, "extra": WORDS}
        job = {"task": "send-sms", "payload": wrong}
        assert (await service.post("/api/v1/queues/send-sms-queue/jobs", job))[0] == 422
        for path, body in SENT.values():
            assert (await service.post(path, {**body, "extra": WORDS}))[0] == 422
    nothing_private(kept.text)


async def test_with_the_setting_lines_show_recipients_and_words(
    settings: Make, work: Work, kept: Kept
) -> None:
    async with (
        provider_saying(echo) as url,
        running(settings(**of("sms", url), log_messages=True)) as service,
        work(service.engine),
    ):
        assert (await ended(service, "sms"))["state"] == "failed"
    assert kept.outcomes()[0]["recipient"] == NUMBER
    assert WORDS in kept.text


async def test_health_checks_and_looks_leave_no_line_at_info(settings: Make, kept: Kept) -> None:
    logging.getLogger("streamq").setLevel(logging.INFO)
    async with running(settings()) as service:
        before = len(kept.lines)
        for path in (
            "/health",
            "/ready",
            "/",
            "/api/v1/queues",
            "/api/v1/stats",
            "/api/v1/channels",
        ):
            async with service.http.get(service.url + path) as answer:
                assert answer.status == 200
        told = [line for line in kept.lines[before:] if line["level"] != "debug"]
    assert told == []

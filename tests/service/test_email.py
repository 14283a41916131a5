"""E-mail, through a real mail server and through a provider over HTTP."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, ConfigurationError, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running
from .mailbox import mail_server
from .test_messages import behave, calls

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
GOOD: dict[str, Any] = {
    "to": "ada@example.com",
    "subject": "Your table",
    "html": "<h1>Hello</h1><p>Your table is <b>booked</b>.",
    "workspaceId": 66338,
    "contactId": "c-9",
}
Make = Callable[..., ServiceSettings]


def by_mail(settings: Make, url: str, **more: Any) -> ServiceSettings:
    return settings(smtp_url=url, email_from="shop@example.com", email_backoff=0.02, **more)


async def sent(service: Service, body: dict[str, Any], **headers: str) -> Any:
    return (await service.post("/api/schedule-email", {**GOOD, **body}, Prefer="wait=10", **headers))[2]


async def test_a_mail_server_gets_text_html_and_attachments(settings: Make, work: Work) -> None:
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        content = b64encode(bytes(range(256))).decode()
        job = await sent(
            service,
            {
                "to": ["ada@example.com", "käthe@exämple.com"],
                "subject": "Grüße 🎉",
                "attachments": [{"name": "größe.bin", "content": content}],
                "unsubscribe": "https://example.com/end?c=9",
            },
        )
    assert (job["state"], job["result"]["status"], job["queue"]) == ("completed", 250, "send-email-queue")
    (mail,) = mailbox.mails
    assert (str(mail["Subject"]), str(mail["From"])) == ("Grüße 🎉", "shop@example.com")
    to = str(mail["To"]).encode("utf-8", "surrogateescape").decode()
    assert to == "ada@example.com, käthe@exämple.com"
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == (
        "<https://example.com/end?c=9>",
        "List-Unsubscribe=One-Click",
    )
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().split() == ["Hello", "Your", "table", "is", "booked."]
    assert html.get_content().rstrip() == GOOD["html"]
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("größe.bin", bytes(range(256)))


async def test_connections_are_kept_for_the_next_messages(settings: Make, work: Work) -> None:
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        for _ in range(5):
            assert (await sent(service, {}))["state"] == "completed"
    assert (len(mailbox.mails), mailbox.connections) == (5, 1)
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 5


@pytest.mark.parametrize(
    ("answers", "state", "attempts", "words"),
    [
        (["451 later", "452 later"], "completed", 3, ""),
        (["554 we do not like it"], "failed", 1, "554"),
        (["421 going down"], "completed", 2, ""),
    ],
)
async def test_a_refusal_for_good_fails_a_message_and_one_for_now_does_not(
    settings: Make, work: Work, answers: list[str], state: str, attempts: int, words: str
) -> None:
    async with mail_server() as mailbox:
        mailbox.answers = answers
        async with running(by_mail(settings, mailbox.url)) as service, work(service.engine):
            job = await sent(service, {})
    assert (job["state"], job["attempt"]) == (state, attempts)
    assert words in str(job["error"])


async def test_of_several_recipients_the_refused_are_told_and_those_refused_for_now_get_it_later(
    settings: Make, work: Work
) -> None:
    async with mail_server() as mailbox:
        mailbox.refused = {"gone@example.com": "550 no such user", "full@example.com": "452 mailbox full"}
        async with running(by_mail(settings, mailbox.url)) as service, work(service.engine):
            job = await sent(service, {"to": ["ada@example.com", "gone@example.com", "full@example.com"]})
            assert job["state"] == "completed"
            assert job["result"]["refused"] == {"gone@example.com": "550 no such user"}
            mailbox.refused.clear()
            queue = service.engine.queue("scheduled-email-queue")
            (later,) = (await queue.jobs("delayed")).items
            await queue.promote(later.id)
            await until(lambda: len(mailbox.mails) == 2)
            alone = await sent(service, {"to": ["x@example.com"]})
            assert alone["state"] == "completed"
    assert mailbox.recipients == [["ada@example.com"], ["full@example.com"], ["x@example.com"]]


async def test_a_refused_login_holds_the_channel_and_fails_no_message(
    settings: Make, work: Work, prefix: str
) -> None:
    async with mail_server(login=("shop", "secret")) as mailbox:
        wrong = mailbox.url.replace("://", "://shop:wrong-word@")
        async with running(by_mail(settings, wrong)) as service, work(service.engine):
            _, _, told = await service.post("/api/schedule-email", GOOD)
            await until(lambda: _held(service))
            _, _, job = await service.get(told["url"])
            assert (job["state"], job["attempts"] > 1) == ("delayed", True)
            assert "wrong-word" not in str(job) + str((await service.get("/api/v1/channels"))[2])
        right = mailbox.url.replace("://", "://shop:secret@")
        async with running(by_mail(settings, right, prefix=f"{prefix}b")) as service, work(service.engine):
            assert (await sent(service, {}))["state"] == "completed"


async def test_a_mail_server_with_an_untrusted_certificate_holds_the_channel(
    settings: Make, work: Work, untrusted: ssl.SSLContext
) -> None:
    async with (
        mail_server(tls=untrusted) as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        await service.post("/api/schedule-email", GOOD)
        await until(lambda: _held(service))
        _, _, told = await service.get("/api/v1/channels")
        assert "no trusted connection to the mail server" in str(told)
    assert not mailbox.mails


async def test_where_tls_is_required_nothing_is_sent_without_it(settings: Make, work: Work) -> None:
    async with mail_server() as mailbox:
        strict = by_mail(settings, f"{mailbox.url}?tls=required", email_attempts=2)
        async with running(strict) as service, work(service.engine):
            assert (await sent(service, {}))["state"] == "failed"
    assert not mailbox.mails


async def _held(service: Service) -> bool:
    _, _, told = await service.get("/api/v1/channels")
    return any("held" in note for channel in told["data"] for note in channel["notes"].values())


async def test_a_provider_over_http_gets_the_fields_and_the_metadata(
    settings: Make, sandbox: Service, work: Work
) -> None:
    async with running(settings(email_api_url=sandbox.url)) as service, work(service.engine):
        job = await sent(service, {"metadata": {"campaign": 7, "subject": "smuggled"}})
        assert (job["state"], job["result"]["provider_id"]) == ("completed", "msg-1")
        await behave(sandbox, mode="fail", count=1)
        assert (await sent(service, {"delay": 0.05}))["attempt"] == 2
    first, *again = await calls(sandbox)
    assert first["body"] == {
        "to": "ada@example.com", "subject": "Your table", "html": GOOD["html"],
        "text": "Hello\n\nYour table is booked.", "workspaceId": 66338, "contactId": "c-9", "campaign": 7,
    }  # fmt: skip
    assert again[0]["idempotency_key"] == again[1]["idempotency_key"]


WRONG = [
    ({"to": "ada"}, "/to"), ({"to": []}, "/to"), ({"to": ["ada@example.com", "x"]}, "/to/1"), ({"to": 5}, "/to"),
    ({"to": "a@example.com\nBcc: b@example.com"}, "/to"), ({"subject": "a\r\nBcc: b@example.com"}, "/subject"),
    ({"subject": None}, "/subject"), ({"html": ""}, "/html"), ({"html": 5}, "/html"), ({"text": 5}, "/text"),
    ({"attachments": [{"name": "a", "content": "§"}]}, "/attachments/0/content"),
    ({"attachments": [{"name": "a\nb", "content": ""}]}, "/attachments/0/name"),
    ({"attachments": [{"name": "a", "type": "a/b\nc", "content": ""}]}, "/attachments/0/type"),
    ({"attachments": [{"name": "a", "content": "QUJD" * 50}]}, "/attachments"),
    ({"unsubscribe": "javascript:alert(1)"}, "/unsubscribe"), ({"unsubscribe": "https://x>\nBcc: y"}, "/unsubscribe"),
    ({"delay": -1}, "/delay"), ({"delay": 5, "scheduledFor": "2027-12-31T00:00:00Z"}, "/scheduledFor"),
    ({"workspaceId": 0}, "/workspaceId"), ({"metadata": 5}, "/metadata"), ({"cc": "x@example.com"}, "/cc"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer"), WRONG)
async def test_a_wrong_field_is_pointed_at(settings: Make, change: dict[str, Any], pointer: str) -> None:
    async with running(settings(email_max_attachments=100)) as service:
        status, _, problem = await service.post("/api/v1/messages/email", {**GOOD, **change})
        assert (status, [error["pointer"] for error in problem["errors"]]) == (422, [pointer])
        assert await service.jobs() == 0


async def test_what_a_mail_server_needs_is_asked_for_at_the_start(settings: Make) -> None:
    for wrong in (
        {"smtp_url": "http://x"},
        {"smtp_url": "smtp://"},
        {"email_rate": "fast"},
        {"email_api_url": "x"},
    ):
        with pytest.raises(ConfigurationError):
            settings(**wrong)

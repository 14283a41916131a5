"""What a mail server receives, letter by letter: headers, ids, and addresses of all kinds."""

from __future__ import annotations

from typing import Any

import pytest

from ..rig import ON_ONE_SERVER
from .conftest import Service, running
from .mailbox import mail_server
from .peers import Make, Work
from .test_email import GOOD, by_mail, sent
from .test_messages import calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
OPT_OUTS = "/api/v1/opt-outs"


def lines_of(raw: bytes) -> list[str]:
    """The lines of the headers, as they came."""
    return raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")


@pytest.mark.parametrize(
    "end",
    [
        f"https://example.com/end?c={'x' * 860}",
        f"mailto:{'end-' * 40}@example.com?subject=end",
        "https://example.com/a",
    ],
)
async def test_the_address_to_unsubscribe_at_is_literal_however_long_it_is(
    settings: Make, work: Work, end: str
) -> None:
    subject = "Grüße " * 100
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        to = [f"{'long' * 12}{number}@example.com" for number in range(30)]
        assert (await sent(service, {"unsubscribe": end, "to": to, "subject": subject}))[
            "state"
        ] == "completed"
    lines, (mail,) = lines_of(mailbox.raw[0]), mailbox.mails
    assert f"List-Unsubscribe: <{end}>" in lines
    assert ("List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines) == end.startswith("https://")
    assert mailbox.recipients == [to]
    assert [each.addr_spec for each in mail["To"].addresses] == to
    assert str(mail["Subject"]) == subject
    assert max(len(line) for line in lines if not line.startswith("List-Unsubscribe:")) <= 78


async def test_our_own_link_to_unsubscribe_is_literal_too(settings: Make, work: Work) -> None:
    given = {"public_url": "https://jobs.example.com", "link_secret": "s3cr3t"}
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url, **given)) as service,
        work(service.engine),
    ):
        assert (await sent(service, {"to": f"{'long' * 15}@example.com"}))["state"] == "completed"
    (line,) = [line for line in lines_of(mailbox.raw[0]) if line.startswith("List-Unsubscribe:")]
    assert line.startswith("List-Unsubscribe: <https://jobs.example.com/unsubscribe/")
    assert line.endswith(">")


async def test_an_address_to_unsubscribe_at_that_no_header_holds_is_refused(service: Service) -> None:
    end = f"https://example.com/{'x' * 881}"
    status, _, problem = await service.post("/api/schedule-email", {**GOOD, "unsubscribe": end})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/unsubscribe")


async def test_a_message_has_one_id_on_all_its_attempts(settings: Make, work: Work) -> None:
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        mailbox.answers = ["451 kept, and said otherwise"]
        mailbox.keeps_all = True
        assert (await sent(service, {}))["attempt"] == 2
        assert (await sent(service, {}))["attempt"] == 1
    first, again, other = [str(mail["Message-ID"]) for mail in mailbox.mails]
    assert first == again != other
    assert first.endswith("@example.com>")


TWICE = ["ada@example.com", "ADA@example.com", "ada@example.com", "bob@example.com"]


async def test_an_email_whose_recipients_have_all_opted_out_is_withheld_however_often_they_are_named(
    settings: Make, sandbox: Service, work: Work
) -> None:
    async with running(settings(email_api_url=sandbox.url)) as service, work(service.engine):
        job = await sent(service, {"to": TWICE})
        assert job["payload"]["to"] == ["ada@example.com", "bob@example.com"]
        for address in ("ada@example.com", "bob@example.com"):
            await service.post(OPT_OUTS, {"channel": "email", "address": address})
        payload = {**job["payload"], "to": TWICE}  # one that was made before recipients were told once
        made = await service.engine.enqueue("send-email-queue", "send-email", payload)
        with pytest.raises(Exception, match="opted out"):
            await made.result(timeout=15)
        assert (await sent(service, {"to": TWICE}))["state"] == "failed"
    assert len(await calls(sandbox)) == 1


INTERNATIONAL: list[tuple[str, bool, str, str]] = [
    ("ada@bücher.example", False, "completed", "ada@xn--bcher-kva.example"),
    ("ada@bücher.example", True, "completed", "ada@xn--bcher-kva.example"),
    ("käthe@bücher.example", True, "completed", "käthe@bücher.example"),
    ("käthe@bücher.example", False, "failed", ""),
]


@pytest.mark.parametrize(("address", "utf8", "state", "received"), INTERNATIONAL)
async def test_an_internationalised_address_goes_as_the_server_takes_it_or_fails_at_once(
    settings: Make, work: Work, address: str, utf8: bool, state: str, received: str
) -> None:
    async with (
        mail_server(utf8=utf8) as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        job: dict[str, Any] = await sent(service, {"to": address})
        unknown = (await service.get("/api/v1/deliveries/unknown"))[2]["data"]
    assert (job["state"], job["attempt"], unknown) == (state, 1, [])
    assert mailbox.recipients == ([[received]] if received else [])
    assert ("SMTPUTF8" in str(job["error"])) == (state == "failed")
    if received:
        assert received in mailbox.raw[0].decode()


async def test_who_is_refused_is_told_as_he_was_given(settings: Make, work: Work) -> None:
    async with (
        mail_server() as mailbox,
        running(by_mail(settings, mailbox.url)) as service,
        work(service.engine),
    ):
        mailbox.refused = {"ada@xn--bcher-kva.example": "550 no such user"}
        job = await sent(service, {"to": ["ada@bücher.example", "bob@example.com"]})
    assert job["result"]["refused"] == {"ada@bücher.example": "550 no such user"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Shop <shop@example.com>", "Shop <shop@example.com>"),
        ('"Shop, Ltd." <shop@example.com>', '"Shop, Ltd." <shop@example.com>'),
        ("Käthes Laden <shop@bücher.example>", "Käthes Laden <shop@xn--bcher-kva.example>"),
        ("shop@example.com", "shop@example.com"),
    ],
)
async def test_a_sender_may_have_a_name(settings: Make, work: Work, given: str, shown: str) -> None:
    async with (
        mail_server(utf8=False) as mailbox,
        running(settings(smtp_url=mailbox.url, email_from=given)) as service,
        work(service.engine),
    ):
        assert (await sent(service, {}))["state"] == "completed"
    assert str(mailbox.mails[0]["From"]) == shown

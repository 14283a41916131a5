"""Texts as people write them go through each channel unchanged, character by character.

These are ours and few; ``make texts TEXTS=file`` takes the lines of a file, thousands of them.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ..measured.texts import OWN
from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running
from .mailbox import mail_server
from .peers import Make, Peer, Work, answering, peer_served

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER, pytest.mark.timeout(600)]
TEXTS = Path(os.environ.get("STREAMQ_TEST_TEXTS") or OWN).read_bytes().decode().split("\n")
ODD = [
    ".", "..\n.\n...", "From here", "ends in blanks  ", " begins with one", "=3D =\n=", "\ttab", "a\u2028b\u0085c\x0cd",
    "\x1a", "e\u0301 is not \u00e9", "\u200f\u05e2\u05d1\u05e8 \u202b", "\U0001f469\u200d\U0001f467 \U0010ffff",
    "£ € ¥ \ufdfd", "&amp; <b>&lt;/b> %0A \\n \\u0041 {x} $y", "x" * 1_500, "ü" * 1_500, "-- \nsignature",
    "\ufeffmark", "'\"`",
]  # fmt: skip
ALL = [*(text for text in TEXTS if text.strip()), *ODD]
AT_ONCE = 40


async def each_sent(send: Callable[[int, str], Awaitable[Any]]) -> None:
    """Send all of them, some at once."""
    waiting = iter(enumerate(ALL))

    async def sender() -> None:
        for number, text in waiting:
            await send(number, text)

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peer_served() as peer:
        yield peer


async def test_a_text_message_reaches_the_provider_as_it_was_written(
    settings: Make, sandbox: Service, work: Work
) -> None:
    async with running(settings(sms_api_url=sandbox.url)) as service, work(service.engine):

        async def send(number: int, text: str) -> None:
            body = {"to": "+15550100", "message": text, "workspaceId": 66338, "contactId": f"c-{number}"}
            assert (await service.post("/api/schedule-sms", body))[0] == 201

        await each_sent(send)

        async def all_there() -> bool:
            return bool((await sandbox.get("/ledger?limit=1"))[2]["totals"]["calls"] == len(ALL))

        await until(all_there, 300)
        _, _, ledger = await sandbox.get("/ledger?limit=10000")
    came = {call["body"]["contactId"]: call["body"]["message"] for call in ledger["calls"]}
    assert came == {f"c-{number}": text for number, text in enumerate(ALL)}


async def test_an_e_mail_has_the_text_and_the_html_as_they_were_written(settings: Make, work: Work) -> None:
    async with (
        mail_server() as mailbox,
        running(settings(smtp_url=mailbox.url, email_from="shop@example.com")) as service,
        work(service.engine),
    ):

        async def send(number: int, text: str) -> None:
            texts = {"html": html.escape(text), "text": text}
            body = {"to": "ada@example.com", "subject": f"{number}", "workspaceId": 1, **texts}
            assert (await service.post("/api/schedule-email", body))[0] == 201

        await each_sent(send)
        await until(lambda: len(mailbox.mails) == len(ALL), 500)
    for mail in mailbox.mails:
        text = ALL[int(mail["Subject"])]
        for kind, said in (("plain", text), ("html", html.escape(text))):
            part = mail.get_body((kind,))
            assert part is not None
            # the lines of an e-mail end as MIME has it, its last one too
            assert part.get_content().replace("\r\n", "\n").removesuffix("\n") == said


async def test_a_model_is_told_the_text_and_the_callback_has_it_as_it_was_written(
    settings: Make, peer: Peer, work: Work
) -> None:
    peer.echoes = True
    async with answering(settings, peer, work, ai_context=0) as send:

        async def told(number: int, text: str) -> None:
            job = await send(number, contact_id=f"c-{number}", message_text=text, path="/send-sms")
            assert (job["state"], job["result"]["reply"]) == ("completed", text)

        await each_sent(told)
    assert Counter(asked["messages"][-1]["content"] for asked in peer.asked) == Counter(ALL)
    came = {body["contactId"]: body["message"] for body in (json.loads(body) for _, body in peer.called)}
    assert came == {f"c-{number}": text for number, text in enumerate(ALL)}

"""Whatever a provider answers comes to one of four verdicts; what it says is bounded and tells no secret of ours."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamq_service.messaging.caller import ANSWER, EXCERPT
from streamq_service.messaging.formats.form import kind_of
from streamq_service.messaging.provider import (
    AnswerLost,
    ProviderError,
    Receipt,
)
from streamq_service.messaging.retry_after import asked_wait, parse_retry_after
from streamq_service.messaging.secrets import Secrets
from streamq_service.messaging.sms import providers_of
from streamq_service.messaging.spread import CROWD, Spread
from streamq_service.settings import ServiceSettings

from streamq import Fail, Notes, Retry, Snooze

from .providers import answer, provider_saying

ODD: tuple[tuple[str, ...], ...] = (
    (), ("",), ("0",), ("30",), ("-1",), ("1.5",), ("soon",), ("٣٠",), ("²",), ("9" * 400,), ("9999999999",), ("+5",),
    ("1e9",), ("nan",), ("inf",), ("0x10",), ("1_000",), ("30, 60",), ("30", "60"), ("30", "soon"),
    ("Wed, 21 Oct 2015 07:28:00 GMT",), ("Fri, 31 Dec 9999 23:59:59 GMT",), ("Wed, 99 Oct 2015 07:28:00 GMT",),
    ("Thu, 26 Nov 2026 21:00:00",), ("\ud800",), ("\x00",), ("30" + " " * 9_000,),
)  # fmt: skip


async def verdict(url: str, attempt: int = 1, **given_settings: Any) -> Receipt | Exception:
    """What comes of one message to the provider at ``url``."""
    async with providers_of(ServiceSettings(sms_api_url=url, **given_settings), Notes())[0] as provider:
        try:
            return await provider.send({"to": "1"}, key="k", attempt=attempt)
        except (Retry, Fail, Snooze, ProviderError) as said:
            return said


def test_every_status_is_about_the_message_or_the_sender_or_passes_by() -> None:
    about = {status: kind_of(status) for status in range(1_000)}
    assert {status for status, kind in about.items() if kind == "taken"} == set(range(200, 300))
    assert {status for status, kind in about.items() if kind == "sender"} == {401, 403, 407}
    temporary, by_a_gateway = {408, 425, 429}, {502, 504}
    assert {status for status, kind in about.items() if kind == "lost"} == by_a_gateway
    assert {status for status, kind in about.items() if kind == "message"} == set(range(400, 500)) - {
        401, 403, 407, *temporary,
    }  # fmt: skip
    assert {status for status, kind in about.items() if kind == "again"} == {
        *range(200), *range(300, 400), *temporary, *set(range(500, 1_000)) - by_a_gateway,
    }  # fmt: skip


@pytest.mark.parametrize("values", ODD, ids=repr)
def test_whatever_retry_after_says_the_wait_is_the_backoff_at_least_and_the_bound_at_most(
    values: tuple[str, ...],
) -> None:
    provider = providers_of(ServiceSettings(sms_backoff=2, sms_max_retry_after=60), Notes())[0]
    asked = asked_wait(values)
    if asked is not None:
        assert 2 <= provider._wait(asked, 1) <= 60 * 1.25
        assert 8 <= provider._wait(asked, 3) <= 60 * 1.25


@settings(max_examples=60, deadline=None)
@given(st.text() | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_no_text_is_too_odd_for_retry_after(text: str) -> None:
    seconds = parse_retry_after(text)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 30 ", 30.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣٠", None),
        ("3\xa0", None),
        ("9999999999", 9999999999.0),
        ("99999999999", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        ("Thu Oct  1 07:28:60 2015", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 PST", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_unreadable(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]
)
def test_a_date_in_each_form_of_http_is_waited_for(form: str) -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    assert parse_retry_after(at.strftime(form)) == pytest.approx(90, abs=3)


def test_two_hundred_messages_with_one_wait_come_back_one_after_the_other() -> None:
    spread = Spread()
    waits = sorted(spread.longer(1.0) for _ in range(200))
    assert waits[0] >= 1.0  # above the wait, never below it
    assert waits[-1] <= 1 + 200 * 0.02
    assert waits[-1] - waits[0] > 1.5
    busiest = max(sum(start <= wait < start + 0.1 for wait in waits) for start in waits)
    assert busiest < 60
    for _ in range(10_000):
        spread.longer(3600.0)
    assert len(spread._due) == CROWD


@pytest.mark.parametrize("retry_after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "now"])
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
async def test_a_provider_that_says_now_is_left_alone_for_the_backoff(status: int, retry_after: str) -> None:
    if retry_after == "now":
        retry_after = format_datetime(datetime.now(UTC), usegmt=True)
    async with provider_saying(answer(status, b"busy", Retry_After=retry_after)) as url:
        said = await verdict(url, attempt=3, sms_backoff=2)
    assert isinstance(said, Retry)
    assert said.after is not None
    assert said.after >= 8
    assert str(said) == f"the provider answered {status}: busy"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Fail), (418, Fail), (408, ProviderError), (302, ProviderError)]
)
async def test_a_refusal_is_told_in_the_providers_words_on_one_line_and_bounded(
    status: int, kind: type
) -> None:
    async with provider_saying(answer(status, b"no \r\n such\tnumber " + b"x" * 100_000)) as url:
        said = await verdict(url)
    assert type(said) is kind
    assert "no such number xxx" in str(said)
    assert ("a redirect, and none is followed" in str(said)) == (status == 302)
    assert len(str(said)) < 400
    assert (EXCERPT, ANSWER) == (300, 65_536), "as the page says"


@pytest.mark.parametrize(
    ("body", "provider_id"),
    [
        (b'{"id": "msg-1"}', "msg-1"),
        (b'{"id": 7}', 7),
        (b'{"id": true}', None),
        (b'{"id": "' + b"x" * 257 + b'"}', None),
        (b'{"id": "hunter22"}', None),
        (b'{"id": ["deep"]}', None),
        (b"[" * 10_000, None),
        (b"<html>taken</html>", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
async def test_a_message_that_was_taken_is_done_whatever_stands_in_the_answer(
    body: bytes, provider_id: Any
) -> None:
    async with provider_saying(answer(202, body)) as url:
        said = await verdict(url.replace("//", "//user:hunter22@"))
    assert said == Receipt(202, provider_id)


@pytest.mark.parametrize(
    "body", [b'{"id": "m"}' + b" " * 1_000, b'{"id": "m"}' + b" " * 5_000_000], ids=["small", "bomb"]
)
async def test_a_packed_answer_is_unpacked_up_to_the_bound(body: bytes) -> None:
    async with provider_saying(answer(200, gzip.compress(body), Content_Encoding="gzip")) as url:
        assert await verdict(url) == Receipt(200, "m")
    async with provider_saying(answer(200, b"no gzip", Content_Encoding="gzip")) as url:
        assert await verdict(url) == Receipt(200, None)


@pytest.mark.parametrize(("status", "kind"), [(200, Receipt), (500, ProviderError), (404, Fail)])
async def test_a_body_that_stalls_takes_nothing_back_of_the_status(status: int, kind: type) -> None:
    async def stall(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(answer(status, b'{"id"', Content_Length="100"))
        await writer.drain()
        await asyncio.sleep(60)

    async with provider_saying(stall) as url:
        assert type(await verdict(url, sms_timeout=0.2)) is kind


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 2", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"],
    ids=["nothing", "cut", "no http", "endless header"],
)
async def test_what_is_no_answer_is_tried_again(said: bytes) -> None:
    async with provider_saying(said) as url:
        error = await verdict(url.replace("//", "//user:hunter22@"))
    assert isinstance(error, AnswerLost), "it may have been taken"
    assert "no answer of the provider can be read" in str(error)
    assert "hunter22" not in str(error)
    assert error.__suppress_context__


async def test_a_refused_connection_is_tried_again() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        said = await verdict(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert isinstance(said, ProviderError)
    assert "cannot reach the provider" in str(said)


async def test_a_certificate_that_is_not_trusted_holds_the_channel(untrusted: ssl.SSLContext) -> None:
    async with provider_saying(answer(200), untrusted) as url:
        said = await verdict(url)
    assert isinstance(said, Snooze)
    assert "no trusted connection to the provider" in str(said)
    assert "certificate" in str(said)


PASSWORD = 'p/a+s "w&d?é'


@pytest.mark.parametrize(
    "secret",
    [
        PASSWORD,
        quote(PASSWORD, safe=""),
        quote(PASSWORD, safe="").lower(),
        r"p/a+s \"w&d?é",
        "p/a+s &quot;w&amp;d?é",
        b64encode(f"acme-user:{PASSWORD}".encode()).decode(),
        "tok-123",
        "T0KEN_in_the_path_x",
        "acme-user",
    ],
)
def test_a_provider_that_repeats_our_secrets_is_not_repeated(secret: str) -> None:
    url = f"https://acme-user:{quote(PASSWORD, safe='')}@sms.example.com/v1/T0KEN_in_the_path_x?key=tok-123"
    secrets = Secrets(url)
    said = secrets.words(f"no account for\n\n{secret} here; Authorization: Basic {secret}{secret}", 300)
    assert said.startswith("no account for ***")
    assert secret not in said
    assert "***" in secrets.words(f"{secret} " * 10_000, 300)
    assert secret[:6] not in secrets.words(f"{secret} " * 10_000, 300)


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    assert Secrets("http://a:bc@host").words("a cab for a:bc, bc", 300) == "*** cab for ***, ***"
    assert Secrets("http://host/v1").words("nothing to hide", 300) == "nothing to hide"


async def test_the_login_and_the_query_of_the_address_reach_the_provider() -> None:
    heads: list[bytes] = []

    async def listen(writer: asyncio.StreamWriter, head: bytes) -> None:
        heads.append(head)
        writer.write(answer(200))

    async with provider_saying(listen) as url:
        await verdict(url.replace("//", "//user:hunter22@") + "/v1?key=tok")
    assert heads[0].startswith(b"POST /v1/send-sms?key=tok HTTP/1.1\r\n")
    assert b"Authorization: Basic " + b64encode(b"user:hunter22") in heads[0]


async def test_numbers_above_64_bits_reach_the_provider() -> None:
    async with (
        provider_saying(answer(200)) as url,
        providers_of(ServiceSettings(sms_api_url=url), Notes())[0] as provider,
    ):
        assert await provider.send({"n": 2**70}, key="k", attempt=1) == Receipt(200, None)


@pytest.mark.parametrize("name", ["SMS_API_URL", "STREAMQ_SMS_API_URL"])
def test_the_address_of_the_provider_has_two_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ("SMS_API_URL", "STREAMQ_SMS_API_URL"):
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, "https://sms.example.com")
    assert ServiceSettings.load().sms_api_url

"""Text messages as they are taken: numbers, defaults, the unit of delays, and what they take on the air."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamq_service.messaging.callback import Rules, wrong_address
from streamq_service.messaging.headers import message_id
from streamq_service.messaging.plain_text import text_of
from streamq_service.messaging.reach import is_public
from streamq_service.messaging.segments import Segments, segments
from streamq_service.messaging.shown import Private
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from ..rig import ON_ONE_SERVER
from .conftest import Service, running

pytestmark = pytest.mark.keeps_keys
GOOD: dict[str, Any] = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
MAIL: dict[str, Any] = {"to": "ada@example.com", "subject": "Hi", "html": "<p>hello", "workspaceId": 66338}


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("", ("gsm-7", 0, 1)),
        ("a" * 160, ("gsm-7", 160, 1)),
        ("a" * 161, ("gsm-7", 161, 2)),
        ("a" * 306, ("gsm-7", 306, 2)),
        ("a" * 307, ("gsm-7", 307, 3)),
        ("€" * 80, ("gsm-7", 160, 1)),
        ("€" * 81, ("gsm-7", 162, 2)),
        ("a" * 152 + "€" + "a" * 152, ("gsm-7", 306, 3)),
        ("é@Ω\n", ("gsm-7", 4, 1)),
        ("ç" * 70, ("ucs-2", 70, 1)),
        ("ç" * 71, ("ucs-2", 71, 2)),
        ("ç" * 134, ("ucs-2", 134, 2)),
        ("😀" * 35, ("ucs-2", 70, 1)),
        ("😀" * 36, ("ucs-2", 72, 2)),
        ("ç" * 66 + "😀" + "ç" * 66, ("ucs-2", 134, 3)),
    ],
)
def test_a_text_takes_as_many_messages_as_the_standard_says(text: str, takes: tuple[Any, ...]) -> None:
    assert segments(text) == Segments(*takes)


@given(st.text(alphabet=st.sampled_from("ab€[\n\u00e7\u4f60😀"), max_size=400))
def test_no_part_has_more_than_it_has_room_for_and_none_is_left_half_empty(text: str) -> None:
    encoding, units, parts = segments(text)
    assert units >= len(text)
    alone, part = (160, 153) if encoding == "gsm-7" else (70, 67)
    least = 1 if units <= alone else -(-units // part)
    most = 1 if units <= alone else -(-units // (part - 1))  # one unit may stay free before a pair
    assert least <= parts <= most


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("<p>a<p>b", "a\n\nb"),
        ("<script>x()</script><style>p{}</style>a &lt;b&gt;", "a <b>"),
        (
            "<a href='https://example.com/x'>here</a> <a href='javascript:x'>there</a>",
            "here (https://example.com/x) there",
        ),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<b>not <i>closed", "not closed"),
        ("a<br>b", "a\nb"),
    ],
)
def test_the_text_part_is_what_a_reader_sees_of_the_html(html: str, text: str) -> None:
    assert text_of(html) == text


INSIDE = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1",
    "64:ff9b:1::808:808", "::ffff:0:808:808", "::ffff:0:7f00:1", "fec0::1", "168.63.129.16", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "100::1", "2001:db8::1",
    "2001:2::1", "2001:10::1", "2001:20::1", "3fff::1", "5f00::1", "4000::1", "64:ff9b::a83f:8110", "2002:a83f:8110::",
)  # fmt: skip
OUTSIDE = (
    "8.8.8.8", "192.0.1.1", "100.63.255.255", "172.32.0.1", "223.255.255.255", "2001:4860:4860::8888", "2a00::1",
    "::ffff:8.8.8.8", "64:ff9b::808:808",
)  # fmt: skip


def test_addresses_of_other_networks_are_told_from_public_ones_in_every_form() -> None:
    assert [each for each in INSIDE if is_public(each)] == []
    assert [each for each in OUTSIDE if not is_public(each)] == []


ODD = (
    "2130706433",
    "127.1",
    "0",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "134744072",
    "010.1.1.1",
)


@pytest.mark.parametrize("private", [False, True])
def test_an_address_in_a_spelling_that_hides_it_is_refused_before_anything_is_sent(private: bool) -> None:
    rules = Rules(frozenset(), private, 1, 1, 1, "")
    assert [each for each in ODD if "not allowed" not in wrong_address(f"http://{each}/x", rules)] == []
    for fine in ("http://8.8.8.8/", "http://127.0.0.1/", "https://0.example.com", "http://[::1]/"):
        assert wrong_address(fine, rules) == ""


@pytest.mark.parametrize("contact", ["a", "ab", "7"])
def test_a_short_contact_id_masks_itself_and_no_letter_of_other_words(contact: str) -> None:
    private = Private(SimpleNamespace(contact_id=contact))
    words = "the table about a 7-day cabin was 57 km away"
    shown = private.hidden(f"{words}, {contact}!")
    assert f", {contact}!" not in shown
    assert shown.replace("a…", "a").replace("7…", "7").startswith(words)
    assert "table about" in shown


def test_a_message_id_has_the_same_length_for_every_key() -> None:
    ids = {message_id(key, "example.com") for key in ("a", "ü" * 300, "<x>\r\n", "a:b")}
    assert len(ids) == 4
    assert {len(each) for each in ids} == {len("<@example.com>") + 40}


@ON_ONE_SERVER
async def test_the_answer_tells_what_a_text_takes(service: Service) -> None:
    for text, takes in (("hello", ("gsm-7", 1)), ("ç" * 71, ("ucs-2", 2))):
        _, _, sent = await service.post("/api/v1/messages/sms", {**GOOD, "message": text})
        assert (sent["encoding"], sent["segments"]) == takes


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "number", ["hello", "5", "+", "+999123456", "+15550100199 ext. 5", "015123456789", "+1555010012345678"]
)
async def test_a_number_that_is_none_is_refused_and_says_how_to_write_one(
    service: Service, number: str
) -> None:
    status, _, problem = await service.post("/api/v1/messages/sms", {**GOOD, "to": number})
    (error,) = problem["errors"]
    assert (status, error["pointer"], error["message"]) == (422, "/to", "is no telephone number")
    assert "+15550100199" in error["hint"]


@ON_ONE_SERVER
async def test_a_number_is_kept_in_the_international_form_and_a_national_one_has_the_region_of_the_setting(
    settings: Callable[..., ServiceSettings],
) -> None:
    async with running(settings(sms_region="DE")) as service:
        for given_, kept in (("+1 (555) 010-0199", "+15550100199"), ("0151 23456789", "+4915123456789")):
            _, _, sent = await service.post("/api/v1/messages/sms", {**GOOD, "to": given_})
            _, _, job = await service.get(sent["url"])
            assert job["payload"]["to"] == kept


@ON_ONE_SERVER
async def test_short_codes_are_taken_where_a_setting_says_so(
    settings: Callable[..., ServiceSettings],
) -> None:
    async with running(settings(sms_numbers="any")) as service:
        _, _, sent = await service.post("/api/v1/messages/sms", {**GOOD, "to": "INFO-5"})
        _, _, job = await service.get(sent["url"])
        assert job["payload"]["to"] == "INFO-5"
    with pytest.raises(ConfigurationError, match="SMS_NUMBERS"):
        settings(sms_numbers="all")
    with pytest.raises(ConfigurationError, match="SMS_REGION"):
        settings(sms_region="Germany")


@ON_ONE_SERVER
async def test_what_says_no_workspace_or_contact_is_of_those_of_the_settings(
    settings: Callable[..., ServiceSettings],
) -> None:
    async with running(settings(default_workspace_id="66338", default_contact_id="c-1")) as service:
        for more, ids in (({}, ("66338", "c-1")), ({"workspaceId": 7, "contactId": "c-2"}, (7, "c-2"))):
            body = {"to": "+15550100", "message": "hello", **more}
            _, _, sent = await service.post("/api/schedule-sms", body)
            _, _, job = await service.get(sent["url"])
            assert (job["payload"]["workspace_id"], job["payload"]["contact_id"]) == ids


@ON_ONE_SERVER
@pytest.mark.parametrize(("path", "seconds"), [
        ("/api/schedule-sms", 60), ("/api/v1/messages/sms", 60_000), ("/api/schedule-email", 60),
        ("/api/v1/messages/email", 60_000),
    ])  # fmt: skip
async def test_a_number_as_delay_has_the_unit_of_the_setting_at_the_route_of_the_predecessor_alone(
    settings: Callable[..., ServiceSettings], path: str, seconds: int
) -> None:
    async with running(settings(schedule_delay_unit="ms")) as service:
        for delay, expected in ((60_000, seconds), ("5m", 300)):
            body = MAIL if path.endswith("email") else GOOD
            _, _, sent = await service.post(path, {**body, "delay": delay})
            ahead = datetime.fromisoformat(sent["due_at"]) - datetime.now(UTC)
            assert abs(ahead - timedelta(seconds=expected)) < timedelta(seconds=5)

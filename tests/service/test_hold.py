"""A refusal of the sender holds the channel: no message is failed for it, and none of them is charged an attempt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.messaging import hold
from streamq_service.messaging.hold import Hold
from streamq_service.messaging.provider import HttpProvider, ProviderError
from streamq_service.messaging.sms import providers_of
from streamq_service.messaging.spread import Spread
from streamq_service.settings import ServiceSettings

from streamq import App, Fail, Notes, Retry, Snooze, Worker

from ..rig import until
from .conftest import Service
from .providers import answer, provider_saying

GOOD: dict[str, Any] = {"to": "+15550100", "message": "hello", "workspaceId": 66338}


class Clock:
    """The time of the holds, which passes when it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """``clock.now += 30`` is half a minute later."""
    made = Clock()
    monkeypatch.setattr(hold, "monotonic", made)
    return made


class Provider:
    """A provider that answers as ``status`` says, and counts the calls."""

    def __init__(self, sender: HttpProvider, notes: Notes) -> None:
        self.sender, self.notes = sender, notes
        self.status = 200
        self.calls = 0

    async def send(self, message: str = "m") -> str:
        """What comes of one message, in a word."""
        try:
            await self.sender.send({"to": message}, key=message, attempt=1)
        except (Retry, Fail, Snooze, ProviderError) as said:
            return type(said).__name__
        return "taken"

    async def send_many(self, count: int) -> list[str]:
        """What comes of so many messages, sent together."""
        return await asyncio.gather(*(self.send(f"m{number}") for number in range(count)))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider, and a sender for it."""

    async def say(writer: asyncio.StreamWriter, _head: bytes) -> None:
        made.calls += 1
        writer.write(answer(made.status, b"said"))

    notes = Notes()
    async with (
        provider_saying(say) as url,
        providers_of(ServiceSettings(sms_api_url=url), notes)[0] as sender,
    ):
        made = Provider(sender, notes)
        yield made


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """What the channel has told the log."""
    caplog.set_level(logging.INFO, "streamq.messaging")
    return lambda: [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "streamq.messaging"
    ]


@pytest.mark.parametrize("status", [401, 407])
async def test_a_wrong_credential_holds_the_channel_and_is_told_once(
    provider: Provider, lines: Callable[[], list[tuple[str, str]]], status: int
) -> None:
    provider.status = status
    assert [await provider.send(f"m{number}") for number in range(50)] == ["Snooze"] * 50
    assert provider.calls == 1
    assert provider.sender.hold.reason == f"the provider answered {status}: said"
    ((level, line),) = lines()
    assert level == "ERROR"
    assert "channel sms is held" in line
    assert "Correct SMS_API_URL" in line
    (note,) = provider.notes.listed
    assert (note.subject, note.text.partition(". ")[0]) == (
        "sms",
        f"held: the provider answered {status}: said",
    )
    assert "SMS_API_URL" in note.text


async def test_one_message_tries_while_the_others_wait_and_its_success_opens_the_channel(
    clock: Clock, provider: Provider, lines: Callable[[], list[tuple[str, str]]]
) -> None:
    provider.status = 401
    assert await provider.send_many(20) == ["Snooze"] * 20
    first = provider.calls  # those under way together
    clock.now += 30
    assert await provider.send_many(20) == ["Snooze"] * 20
    assert provider.calls == first + 1  # refused again: held for twice as long
    clock.now += 59
    assert await provider.send() == "Snooze"
    assert provider.calls == first + 1
    clock.now += 1
    provider.status = 200
    assert sorted(await provider.send_many(20)) == ["Snooze"] * 19 + ["taken"]
    assert await provider.send_many(20) == ["taken"] * 20
    assert provider.sender.hold.reason is None
    assert provider.notes.listed == ()
    assert [level for level, _ in lines()] == ["ERROR", "WARNING"]
    assert "open again" in lines()[1][1]


@pytest.mark.parametrize(("status", "word"), [(404, "Fail"), (500, "ProviderError")])
async def test_a_try_that_ends_otherwise_leaves_the_channel_to_the_next_one(
    clock: Clock, provider: Provider, status: int, word: str
) -> None:
    provider.status = 401
    await provider.send()
    clock.now += 30
    provider.status = status
    assert await provider.send() == word
    assert provider.sender.hold.reason
    provider.status = 200
    assert await provider.send() == "taken"
    assert provider.sender.hold.reason is None


async def test_a_try_that_is_cancelled_leaves_the_channel_to_the_next_one(clock: Clock) -> None:
    channel = Hold("sms", "Mend it", Spread(), Notes())
    with pytest.raises(Snooze):
        channel.close("no trust")
    clock.now += 30
    with pytest.raises(asyncio.CancelledError), channel.passage():
        raise asyncio.CancelledError
    with channel.passage():
        channel.taken("m")
    assert channel.reason is None


async def test_a_refused_message_waits_alone_until_three_in_a_row_are_refused(provider: Provider) -> None:
    provider.status = 403
    assert await provider.send("a") == "Snooze"
    provider.status = 200
    assert await provider.send("b") == "taken"
    provider.status = 403
    for message, held in (("a", False), ("c", False), ("d", True)):
        assert await provider.send(message) == "Snooze"
        assert bool(provider.sender.hold.reason) == held
    assert await provider.send("e") == "Snooze"
    assert provider.calls == 5


@pytest.mark.parametrize("status", [401, 403])
async def test_a_message_that_is_refused_while_others_are_taken_is_failed_at_the_third_time(
    clock: Clock, provider: Provider, status: int
) -> None:
    came = []
    for _ in range(3):
        provider.status = status
        came.append(await provider.send("poison"))
        provider.status = 200
        clock.now += 30
        assert await provider.send("other") == "taken"
    assert came == ["Snooze", "Snooze", "Fail"]


def test_a_hold_doubles_up_to_ten_minutes_and_a_message_looks_again_each_minute(clock: Clock) -> None:
    channel = Hold("sms", "Mend it", Spread(), Notes())
    for left in (30, 60, 120, 240, 480, 600, 600):
        with pytest.raises(Snooze) as snoozed, channel.passage():
            channel.refused("m", "401", sure=True)
        assert min(left, 60) <= snoozed.value.seconds <= min(left, 60) * 1.25
        clock.now += left - 1
        with pytest.raises(Snooze) as snoozed, channel.passage():
            pytest.fail("the channel is held")
        assert 1 <= snoozed.value.seconds < 2
        clock.now += 1


def test_what_was_under_way_when_the_hold_began_makes_it_no_longer(clock: Clock) -> None:
    channel = Hold("sms", "Mend it", Spread(), Notes())
    for number in range(2_000):
        with pytest.raises(Snooze) as snoozed:
            channel.refused(str(number), "401", sure=True)
        assert 30 <= snoozed.value.seconds <= 30 + 2_000 * 0.02
    clock.now += 30
    with channel.passage():
        channel.taken("m")
    assert len(channel._refused) == hold.REMEMBERED


@pytest.mark.keeps_keys
async def test_messages_that_meet_a_held_channel_are_charged_no_attempt_and_go_out_after_it(
    monkeypatch: pytest.MonkeyPatch,
    settings: Callable[..., ServiceSettings],
    sandbox: Service,
    start: Callable[..., AbstractAsyncContextManager[Service]],
    work: Callable[[App], AbstractAsyncContextManager[Worker]],
) -> None:
    monkeypatch.setattr(hold, "FIRST", 0.2)
    monkeypatch.setattr(hold, "LONGEST", 0.4)
    monkeypatch.setattr(hold, "TURN", 0.05)
    await _behave(sandbox, mode="reject", status=401)
    async with start(settings(sms_api_url=sandbox.url, sms_attempts=1)) as service, work(service.engine):
        places = [(await service.post("/api/schedule-sms", GOOD))[1]["Location"] for _ in range(20)]
        await until(lambda: _calls(sandbox, 3))
        for place in places:
            job = (await service.get(place))[2]
            assert job["state"] in ("delayed", "held", "waiting", "active"), (
                "it waits for its turn in its group, too"
            )
            assert (job["attempt"] <= 1, job["history"]) == (True, [])
        await _behave(sandbox, mode="ok")
        for place in places:
            job = await until(lambda place=place: _completed(service, place))
            assert (job["attempt"], job["history"]) == (1, [])


async def _behave(sandbox: Service, **behaviour: Any) -> None:
    async with sandbox.http.put(sandbox.url + "/behaviour", json=behaviour) as response:
        assert response.status == 200


async def _calls(sandbox: Service, least: int) -> bool:
    calls: int = (await sandbox.get("/ledger"))[2]["totals"]["calls"]
    return calls >= least


async def _completed(service: Service, place: str) -> dict[str, Any] | None:
    job: dict[str, Any] = (await service.get(place))[2]
    return job if job["state"] == "completed" else None

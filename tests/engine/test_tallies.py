"""Tallies: what services count, by subject, minute and hour, and each count once."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, Sum, UsageError, WindowNotKept
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER


def total(tallied: Any) -> dict[str, Sum]:
    found: dict[str, Sum] = {}
    for _, subjects in tallied.steps:
        for name, each in subjects.items():
            found[name] = found.get(name, Sum()) + each
    return found


async def test_counts_and_times_of_several_processes_are_added_up(app: App) -> None:
    for seconds in (0.1, 0.1, 4.0):
        tallies = app.tallies("messages")
        tallies.count("sms 66338", "sent")
        tallies.count("sms 66338", "sent", 2)
        tallies.count("email größe", "failed")
        tallies.time("sms 66338", "send", seconds)
        await tallies.send()
        await tallies.send()
    found = total(await app.tallies("messages").read("1h"))
    assert found["sms 66338"].counts == {"sent": 9}
    assert found["email größe"].counts == {"failed": 3}
    spread = found["sms 66338"].times["send"]
    assert spread.p50 == pytest.approx(0.1, rel=0.1)
    assert spread.p99 == pytest.approx(4.0, rel=0.1)
    tallied = await app.tallies("messages").read("24h", step="1h")
    assert (tallied.step, len(tallied.steps)) == (3600, 25)
    assert total(tallied) == found


@ON_ONE_SERVER
async def test_a_call_whose_answer_was_lost_is_added_once(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    tallies, store = app.tallies("messages"), app.client.store.statistics
    add = store.tally

    async def lost(*arguments: Any) -> None:
        await add(*arguments)
        raise ConnectionError

    tallies.count("sms", "sent")
    monkeypatch.setattr(store, "tally", lost)
    with pytest.raises(ConnectionError):
        await tallies.send()
    tallies.count("sms", "sent")
    monkeypatch.setattr(store, "tally", add)
    await tallies.send()
    assert total(await tallies.read())["sms"].counts == {"sent": 2}


@ON_ONE_SERVER
async def test_subjects_beyond_those_that_are_told_apart_are_added_up(app: App) -> None:
    tallies = app.tallies("messages")
    for number in range(300):
        tallies.count(f"workspace {number}", "sent")
    await tallies.send()
    found = total(await tallies.read())
    assert len(found) == 257
    assert found["*"].counts == {"sent": 44}
    assert sum(each.counts["sent"] for each in found.values()) == 300


@ON_ONE_SERVER
async def test_what_another_program_wrote_is_passed_over_and_keys_end(
    app: App, client: redis.Redis, prefix: str
) -> None:
    tallies = app.tallies("messages")
    tallies.count("sms", "sent")
    await tallies.send()
    keys = Keys(prefix, "messages")
    minutes = client.keys(f"{keys.tallied_minutes}*")
    assert len(minutes) == 1
    client.hset(minutes[0], mapping={"odd": "[1]", "\xff": "{}", "sms": '{"sent":"x"}', "more": '{"sent":4}'})
    found = total(await tallies.read())
    assert {name: each.counts for name, each in found.items()} == {"more": {"sent": 4}}
    tallies.count("sms", "sent")
    await tallies.send()
    assert total(await tallies.read())["sms"].counts == {"sent": 1}
    assert all(client.pttl(key) > 0 for key in client.keys(f"{prefix}*"))


async def test_what_cannot_be_counted_is_refused(app: App) -> None:
    tallies = app.tallies("messages")
    for subject in ("", "x" * 201, "a\nb"):
        with pytest.raises(UsageError, match="is no subject"):
            tallies.count(subject, "sent")
    for name in ("", "Sent", "a~1", "x" * 31):
        with pytest.raises(UsageError, match="cannot name a count"):
            tallies.count("sms", name)
    with pytest.raises(ConfigurationError):
        app.tallies("no/name")
    with pytest.raises(WindowNotKept):
        await tallies.read("100d", step="1d")

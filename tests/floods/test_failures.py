"""A flood of failures, each of a kind of its own: kinds, bytes and calls are bounded, and what is counted is right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App
from streamq.model.failure_kinds import OTHER, alike, outcome_of
from streamq.model.keys import Keys
from streamq.model.outcomes import FAILED
from streamq.store.outcomes import Settlement
from streamq.store.retention import Retention

from .conftest import FLOOD, ON_SERVERS
from .looks import bytes_of, bytes_sent, bytes_used, commands_run, figure, letters, longest_call

AT_ONCE = 1_000
KEPT = 2_000
"""Records of failed jobs that are kept: twice as many as there may be kinds."""
USUAL = 10
"""Of each thousand jobs, those that fail as many others do, all the time."""
WIDE = "…" * 300
"""The begin of some messages: it is cut, and a cut may be within a character."""
KIND_BYTES, JOB_BYTES = 3_400, 400
"""Bytes of a kind at most, and of a failed job of this test in all keys but for its record, with what they cost the
server."""

SERVER_BYTES = 20_000_000
"""Bytes that the server has more at most: these, 2,000 records of 1 KB or two, and what it reads from and writes to."""

Flood = Callable[[int], Any]


def outcome(number: int) -> bytes:
    """The end of a job that fails as no other does, or as some of all of them."""
    if number % (AT_ONCE // USUAL) == 0:
        return outcome_of("send", "Timeout", f"no answer after {number} ms", "provider:send")
    start = "." * (number % 7) + WIDE if number % 50 == 0 else ""
    return outcome_of("send", "ValueError", f"{start}the word is {letters(number)}", "texts:read")


def test_the_messages_of_the_flood_are_kinds_of_their_own() -> None:
    assert len({alike(f"the word is {letters(number)}") for number in range(20_000)}) == 20_000


@pytest.fixture
async def flood(make_app: Any, client: redis.Redis, keys: Keys) -> Any:
    """``await flood(first)``: a thousand jobs fail, each of another kind, from that number on."""
    async with make_app(keep_failed=KEPT) as app, app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ("q",))

        async def fail(first: int) -> None:
            jobs = await app.enqueue_many("q", "send", range(first, first + AT_ONCE))
            client.xreadgroup("workers", "w", {keys.ready: ">"}, count=AT_ONCE)
            settled = [
                Settlement(FAILED, 1, job.id.encode(), job.id, b"f1 1 w\nsend\n\n%b\n1" % outcome(first + n))
                for n, job in enumerate(jobs)
            ]
            assert not await app.client.store.outcomes.settle(links, {"q": settled})

        yield app, fail


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix, "q")


@ON_SERVERS
async def test_a_flood_of_different_failures_is_bounded_in_groups_bytes_and_calls_and_counted_right(
    flood: tuple[App, Flood], client: redis.Redis, keys: Keys, record_property: Any
) -> None:
    app, fail = flood
    began, most, used = time.monotonic(), 0, bytes_used(client)
    with longest_call(client) as longest:
        for first in range(0, FLOOD, AT_ONCE):
            before = commands_run(client)
            await fail(first)
            most = max(most, commands_run(client) - before)
            if first * 10 % FLOOD < AT_ONCE * 10:
                bounded(client, keys)
    took, sent, at = time.monotonic() - began, bytes_sent(client), time.monotonic()
    kinds = {kind.fingerprint: kind for kind in await app.queue("q").failures()}
    figure(record_property, "failed kinds a second", FLOOD / took)
    figure(record_property, "ms of the server at most in one of the latest calls", longest[0])
    figure(record_property, "commands of a job at most", most / AT_ONCE)
    figure(record_property, "ms to read the kinds", (time.monotonic() - at) * 1000)
    figure(record_property, "KB of the keys of the kinds", bounded(client, keys) / 1000)
    assert bytes_sent(client) - sent < 1_001 * KIND_BYTES
    assert bytes_used(client) - used < SERVER_BYTES
    assert most < 12 * AT_ONCE, "commands, whatever the kinds are"

    listed = Counter(client.hvals(keys.fingerprints))
    assert {name: kind.failed for name, kind in kinds.items() if kind.failed} == listed
    assert sum(listed.values()) == KEPT
    (usual,) = [kind for kind in kinds.values() if kind.type == "Timeout"]
    assert (usual.count, usual.failed) == (FLOOD * USUAL // AT_ONCE, KEPT * USUAL // AT_ONCE)
    others = kinds[OTHER]
    assert others.count >= others.failed > 0
    assert (others.task, others.message) == ("", ""), "they have nothing in common"
    assert all(kind.count >= kind.failed and kind.first_at and kind.last_at for kind in kinds.values())
    assert len([kind for kind in kinds.values() if kind.failed]) > AT_ONCE / 20, "later ones have places, too"
    assert all(kind.message for kind in kinds.values() if kind is not others)


def bounded(client: redis.Redis, keys: Keys) -> int:
    """Look at the keys; their bytes."""
    kinds, jobs = client.hlen(keys.failure_kinds), client.zcard(keys.failures)
    assert kinds <= 1_001
    assert jobs <= KEPT
    assert client.hlen(keys.fingerprints) == client.zcard(keys.fingerprinted) == jobs
    size = bytes_of(client, keys.failure_kinds, keys.fingerprints, keys.fingerprinted, keys.failures)
    assert size < kinds * KIND_BYTES + jobs * JOB_BYTES + 20_000
    return size


@ON_SERVERS
@pytest.mark.parametrize("told", [{"failed": 0}, {"failed": 70}, {"task": "send", "failed": 50}])
async def test_whatever_is_told_of_how_many_are_kept_no_fingerprint_outlives_its_record(
    flood: tuple[App, Flood], client: redis.Redis, keys: Keys, told: dict[str, Any]
) -> None:
    app, fail = flood
    if "task" not in told:  # its own retention holds for jobs that fail from then on
        await fail(0)
    await app.queue("q").keep(**told)
    retention: Retention = app.client.store.retention
    await retention.prune("q")
    for first in range(AT_ONCE, 3 * AT_ONCE, AT_ONCE):
        await fail(first)
    await retention.prune("q")
    kept = told["failed"]
    assert client.zcard(keys.failures) == client.hlen(keys.finished) == kept
    assert client.hlen(keys.fingerprints) == client.zcard(keys.fingerprinted) == kept
    assert sum(kind.failed for kind in await app.queue("q").failures()) == kept

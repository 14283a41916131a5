"""One call of a script touches a bounded number of jobs and of bytes; the store calls it again until all is done."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
import redis

from streamq import App
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import READY
from streamq.model.outcomes import COMPLETED, DELAYED
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.outcomes import KEYED, LATER, SETTLED_AT_ONCE, SETTLED_BYTES, Settlement, _bounded
from streamq.store.recovery import PAGE

from ..rig import ON_ONE_SERVER, census

BUDGET = 524_288
"""Bytes of jobs that one call reads, and one job beyond."""
LARGE = 100_000
FEW = BUDGET // LARGE + 1
"""Jobs of that size that go into one call."""


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> dict[scripts.Script, list[Any]]:
    """What each call of each script was answered."""
    answer, said = scripts.Script.answer, defaultdict[scripts.Script, list[Any]](list)

    async def heard(self: scripts.Script, *arguments: Any) -> Any:
        reply = await answer(self, *arguments)
        said[self].append(reply)
        return reply

    monkeypatch.setattr(scripts.Script, "answer", heard)
    return said


def _add(client: redis.Redis, lane: str, count: int, *, size: int = LARGE, headers: str = "") -> list[str]:
    """Entries with payloads of ``size`` bytes."""
    with client.pipeline(transaction=False) as pipe:
        for _ in range(count):
            pipe.xadd(lane, {"task": "t", "payload": '"' + "x" * size + '"', "headers": headers})
        return pipe.execute()


def _take(client: redis.Redis, keys: Keys, worker: str = "w") -> None:
    client.xreadgroup(GROUP, worker, {keys.ready: ">"}, count=100_000)


def _calls(client: redis.Redis, command: str) -> int:
    return client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


@ON_ONE_SERVER
async def test_reclaim_takes_no_more_than_its_budget_of_bytes(
    app: App, replies: dict[scripts.Script, list[Any]], link: Links, client: redis.Redis, keys: Keys
) -> None:
    """100 errors of 6 KB in the history of each job: one such job is a whole call."""
    history = [{"type": "E", "message": "m", "traceback": "x\n" * 3_000} for _ in range(100)]
    ids = _add(client, keys.ready, 5, size=1, headers=json.dumps({"attempt": 100, "history": history}))
    _take(client, keys)
    assert (await app.client.store.recovery.reclaim(link, "q", "w", None)).again == 5
    assert [reply[:4] for reply in replies[scripts.RECLAIM]] == [[1, 0, 0, 1]] * 4 + [[1, 0, 0, 0]]
    record = await app.queue("q").get(ids[0])
    assert (record.crashes, len(record.history), record.history[-1].attempt) == (1, 101, 101)


@ON_ONE_SERVER
async def test_reclaim_takes_no_more_than_a_page_of_jobs(
    app: App, replies: dict[scripts.Script, list[Any]], link: Links, client: redis.Redis, keys: Keys
) -> None:
    _add(client, keys.ready, PAGE + 50, size=1)
    _take(client, keys)
    assert (await app.client.store.recovery.reclaim(link, "q", "w", None)).again == PAGE + 50
    assert [reply[:4] for reply in replies[scripts.RECLAIM]] == [[PAGE, 0, 0, 1], [50, 0, 0, 0]]


@ON_ONE_SERVER
async def test_release_says_where_it_stopped(
    app: App, replies: dict[scripts.Script, list[Any]], link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _add(client, keys.ready, 2 * FEW)
    _take(client, keys)
    assert (
        await app.client.store.delivery.release(link, "q", [(1, entry.encode()) for entry in entries])
        == 2 * FEW
    )
    assert replies[scripts.RELEASE] == [[FEW, FEW]] * 2


@ON_ONE_SERVER
async def test_fetch_delivers_500_jobs_at_most_and_none_when_none_are_asked_for(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    _add(client, keys.ready, 600, size=1)
    _add(client, keys.alone, 1, size=1)
    for n in (0, -1):
        assert await app.client.store.delivery.fetch(link, "q", "w", n) == (1, [])
    assert len((await app.client.store.delivery.fetch(link, "q", "w", 100_000))[1]) == 1, (
        "the suspect comes first"
    )
    assert len((await app.client.store.delivery.fetch(link, "q", "w", 100_000))[1]) == 500


async def _through_gate(app: App, links: Links) -> tuple[int, bool]:
    """How many jobs one call of the gate brings, and whether it says that there may be more."""
    said = (await app.client.store.delivery.through_gate(links, "w", {"q": (500, ())}))["q"]
    assert not isinstance(said, Exception), said
    return sum(len(entries) for _, entries in said.entries), said.more


@ON_ONE_SERVER
async def test_the_gate_lets_no_more_through_than_its_budget_of_bytes(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    half = BUDGET // (LARGE // 2) + 1
    await app.enqueue_many("q", "t", ["x" * (LARGE // 2)] * 2 * half, group="g")
    assert [await _through_gate(app, link) for _ in range(3)] == [(half, True), (half, False), (0, False)]


@ON_ONE_SERVER
async def test_the_gate_passes_over_a_thousand_ids_of_jobs_that_have_left_their_line(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    await app.enqueue_many("q", "t", range(2500), group="g")
    client.delete(keys.parked)
    await app.enqueue("q", "t", 1, group="g")
    assert [await _through_gate(app, link) for _ in range(3)] == [(0, True), (0, True), (1, False)]


@ON_ONE_SERVER
async def test_the_gate_lines_up_fifty_jobs_whose_task_has_a_limit(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    await app.enqueue_many("q", "t", range(120))
    await app.queue("q").limit(concurrency=1, task="t")
    lined = list[int]()
    for _ in range(4):
        await _through_gate(app, link)
        lined.append(client.llen(f"{keys.line}1:*t") + len(client.hkeys(keys.out)))
    assert lined == [50, 100, 120, 120]


@ON_ONE_SERVER
async def test_promote_takes_no_more_than_its_budget_of_bytes(
    app: App, replies: dict[scripts.Script, list[Any]], link: Links, client: redis.Redis, keys: Keys
) -> None:
    for number in range(2 * FEW):
        client.hset(keys.parked, f"1-{number}", "t\n\n" + "x" * LARGE)
        client.zadd(keys.delayed, {f"1-{number}": 1})
    for _ in range(2):
        assert (await app.client.store.delayed.promote(link, ["q"], 200))["q"].jobs == FEW
    assert [reply[2] for reply in replies[scripts.PROMOTE]] == [0, -1], "the next is due now; none waits"
    assert client.hlen(keys.moved) == 2 * FEW


@ON_ONE_SERVER
async def test_audit_reads_no_more_than_its_budget_of_bytes(
    app: App, link: Links, client: redis.Redis, keys: Keys, prefix: str
) -> None:
    """The first entries tell how many of the next may fit."""
    entries = _add(client, keys.ready, 4 * FEW)
    _take(client, keys)
    found, gone, after, _ = await scripts.AUDIT.run(link.home, keys, READY, "", "", PAGE)
    assert (found, gone) == (0, 0)
    assert entries.index(after.decode()) + 1 <= FEW + 1
    client.xgroup_delconsumer(keys.ready, GROUP, "w")
    found, gone, *_ = await scripts.AUDIT.run(link.home, keys, READY, "", "", PAGE)
    assert 1 <= found <= FEW + 1
    assert gone == 0
    assert await app.client.store.recovery.audit(link, "q") == 4 * FEW - found
    assert census(client, prefix, "q").counts() == {"waiting": 4 * FEW}


@ON_ONE_SERVER
async def test_an_audit_goes_by_pages_and_ends_with_what_was_delivered_when_it_began(
    link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _add(client, keys.ready, PAGE + 50, size=1)
    _take(client, keys)
    *reply, after, last = await scripts.AUDIT.run(link.home, keys, READY, "", "", PAGE)
    assert (reply, after, last) == ([0, 0], entries[PAGE - 1].encode(), entries[-1].encode())
    _add(client, keys.ready, PAGE, size=1)
    _take(client, keys)
    assert await scripts.AUDIT.run(link.home, keys, READY, after, last, PAGE) == [0, 0, b"", last]


@ON_ONE_SERVER
async def test_a_prune_with_nothing_to_do_reads_one_record(app: App, client: redis.Redis, keys: Keys) -> None:
    with client.pipeline(transaction=False) as pipe:
        seconds = client.time()[0]
        for number in range(50):
            pipe.hset(keys.finished, f"{seconds * 1000}-{number}", "c5 0 w\nt\n\n" + "x" * LARGE + "\n1")
            pipe.rpush(keys.completed, f"{seconds * 1000}-{number}")
        pipe.execute()
    before = _calls(client, "hget"), _calls(client, "hmget")
    assert await app.client.store.retention.prune("q") == 0
    assert (_calls(client, "hget") - before[0], _calls(client, "hmget") - before[1]) == (1, 0)


@ON_ONE_SERVER
async def test_prune_reads_no_more_than_its_budget_of_bytes(
    app: App, replies: dict[scripts.Script, list[Any]], client: redis.Redis, keys: Keys
) -> None:
    for number in range(2 * FEW):
        client.hset(keys.finished, f"1-{number}", "c5 0 w\nt\n\n" + "x" * LARGE + "\n1")
        client.rpush(keys.completed, f"1-{number}")
    assert await app.client.store.retention.prune("q") == 2 * FEW
    assert [count for count, _ in replies[scripts.PRUNE] if count] == [FEW - 1, FEW - 1, 2]
    assert client.exists(keys.finished, keys.completed) == 0


@ON_ONE_SERVER
async def test_prune_forgets_what_is_beyond_the_number_kept_page_by_page(
    make_app: Any, replies: dict[scripts.Script, list[Any]], client: redis.Redis, keys: Keys
) -> None:
    now = client.time()[0] * 1000
    for number in range(PAGE + 50):
        client.hset(keys.finished, f"{now}-{number}", "c5 0 w\nt\n\n1\n1")
        client.rpush(keys.completed, f"{now}-{number}")
    async with make_app(keep_completed=10) as app:
        assert await app.client.store.retention.prune("q") == PAGE + 40
    assert replies[scripts.PRUNE][:3] == [[PAGE, 1], [40, 1], [0, 0]]
    assert client.hlen(keys.finished) == client.llen(keys.completed) == 10


@ON_ONE_SERVER
async def test_a_record_finished_in_the_future_is_kept_and_those_behind_it_are_pruned(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    """After the clock was set back: by hours, or before the birth of the job."""
    now = client.time()[0] * 1000
    records = {
        f"{now + 7_200_000}-0": "c-1000000000000", f"{now + 7_200_000}-1": "c0", f"{now}-2": "c7200000", "1-3": "c5",
        f"{now}-4": "c-5", "1-5": "c5", f"{now}-6": "c0",
    }  # fmt: skip
    for job_id, first in records.items():
        client.hset(keys.finished, job_id, f"{first} 0 w\nt\n\n1\n1")
        client.rpush(keys.completed, job_id)
    assert await app.client.store.retention.prune("q") == 2, (
        "one that is young ends the look, as they lie in order"
    )
    client.lrem(keys.completed, 1, f"{now}-4")
    client.hdel(keys.finished, f"{now}-4")
    assert await app.client.store.retention.prune("q") == 1
    left = [f"{now + 7_200_000}-1", f"{now}-2", f"{now}-6"]
    assert client.lrange(keys.completed, 0, -1) == left
    assert sorted(client.hkeys(keys.finished)) == sorted(left)


@ON_ONE_SERVER
async def test_settle_forgets_a_bounded_number_when_less_is_kept_than_before(
    make_app: Any, client: redis.Redis, keys: Keys, link: Links
) -> None:
    old = 5_000
    client.rpush(keys.completed, *[f"1-{number}" for number in range(old)])
    client.hset(keys.finished, mapping={f"1-{number}": "c5 0 w\nt\n\n1\n1" for number in range(old)})
    async with make_app(keep_completed=100) as app:
        (entry,) = _add(client, keys.ready, 1, size=1)
        _take(client, keys)
        done = Settlement(COMPLETED, 1, entry.encode(), entry, b"c5 0 w\nt\n\n1\n1")
        assert await app.client.store.outcomes.settle(link, {"q": [done]}) == []
        assert client.llen(keys.completed) == client.hlen(keys.finished) == old + 1 - 1_001
        await app.client.store.retention.prune("q")
        assert client.llen(keys.completed) == client.hlen(keys.finished) == 1, "all but the new one are old"


def test_outcomes_are_settled_in_parts_bounded_by_number_and_by_bytes() -> None:
    def outcomes(count: int, size: int) -> list[Settlement]:
        return [Settlement(COMPLETED, 1, b"%d-0" % number, "1-1", b"x" * size) for number in range(count)]

    for count, size in ((1, 0), (2_500, 1), (10, SETTLED_BYTES // 3), (3, 5 * SETTLED_BYTES)):
        whole = outcomes(count, size)
        parts = list(_bounded(whole))
        assert [one for part in parts for one in part] == whole
        assert all(len(part) <= SETTLED_AT_ONCE for part in parts)
        assert all(len(part) == 1 or sum(len(one.body) for one in part) <= SETTLED_BYTES for part in parts)
    assert list(_bounded([])) == []
    later = Settlement(DELAYED, 1, b"1-0", "1-0", b"x", due="5")
    for weight, heavy in ((LATER, later), (KEYED, outcomes(1, 1)[0]._replace(key="k"))):
        assert list(map(len, _bounded([heavy] * 1_000))) == [SETTLED_AT_ONCE // weight] * weight
        assert list(map(len, _bounded([*outcomes(999, 1), heavy]))) == [999, 1]


@ON_ONE_SERVER
async def test_settle_reads_no_job_to_find_out_which_outcomes_are_refused(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _add(client, keys.ready, 10)
    _take(client, keys)
    await app.client.store.delivery.release(link, "q", [(1, entries[3].encode())])
    done = [
        Settlement(COMPLETED, 1, entry.encode(), entry, b"c5 0 w\nt\n\n1\n1")
        for entry in (*entries, entries[0])
    ]
    before = _calls(client, "xrange")
    assert await app.client.store.outcomes.settle(link, {"q": done}) == [
        entries[3].encode(),
        entries[0].encode(),
    ]
    assert _calls(client, "xrange") == before
    assert client.lrange(keys.completed, 0, -1) == [*entries[:3], *entries[4:]]


@ON_ONE_SERVER
async def test_a_search_and_an_operation_by_filter_read_no_more_than_their_budget_of_bytes(
    app: App, replies: dict[scripts.Script, list[Any]], client: redis.Redis, keys: Keys
) -> None:
    _add(client, keys.ready, 2 * FEW)
    for number in range(2 * FEW):
        for place in (f"1-{number + 1}", f"2-{number + 1}"):
            client.hset(keys.parked, place, "t\n\n" + "x" * LARGE)
        client.zadd(keys.delayed, {f"1-{number + 1}": 10**14})
        client.hset(keys.finished, f"3-{number + 1}", "f1 1 w\nt\n\n{}\n" + "x" * LARGE)
        client.zadd(keys.failures, {f"3-{number + 1}": number})
    queue, count = app.queue("q"), 2 * FEW
    for state in ("waiting", "delayed", "held", "failed"):
        looked, cursor = 0, None
        while True:
            page = await queue.search(f"state:{state} payload=1", cursor=cursor)
            looked, cursor = looked + page.looked, page.next
            if cursor is None:
                break
        assert looked >= count, state
    assert max(len(entries) for _, entries in replies[scripts.SCAN_LANE]) <= FEW + 8
    assert max(len(said) // 2 for said in replies[scripts.READ_JOBS]) <= FEW + 1

    retry = await queue.retry_all("state:failed")
    while (await retry.status()).state == "running":
        await app.client.store.operations.help("q", retry.id)
    assert (await retry.status()).done == count
    assert max(changed for _, changed, _ in replies[scripts.BULK]) <= FEW + 1


@ON_ONE_SERVER
async def test_a_call_of_an_operation_by_filter_changes_25_jobs_and_reads_100(
    app: App, replies: dict[scripts.Script, list[Any]]
) -> None:
    await app.enqueue_many("q", "t", range(500))
    cancel = await app.queue("q").cancel_all("task:t")
    while (await cancel.status()).state == "running":
        await app.client.store.operations.help("q", cancel.id)
    assert [changed for _, changed, _ in replies[scripts.BULK] if changed] == [25] * 20
    assert max(len(entries) for _, entries in replies[scripts.SCAN_LANE]) == 100

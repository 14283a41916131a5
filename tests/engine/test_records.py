"""Records: small entries with a lifetime, compared by their version, and counters of windows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, RecordConflict, RecordsFull, UsageError
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER


async def test_an_entry_is_kept_for_its_lifetime_and_leaves_nothing_behind(
    app: App, client: redis.Redis, prefix: str
) -> None:
    records = app.records("hlr")
    put = await records.put("+49", {"valid": True}, lifetime="200ms")
    assert await records.get("+49") == put
    assert put.value == {"valid": True}
    assert await records.get("other") is None
    await asyncio.sleep(0.25)
    assert await records.get("+49") is None
    assert await records.add("+49", 2, lifetime=1)
    keys = Keys(prefix, "hlr")
    assert 0 < client.pttl(keys.records) <= 2_000
    assert 0 < client.pttl(keys.records_ends) <= 2_000


async def test_of_many_who_add_or_change_an_entry_at_once_one_does(app: App) -> None:
    records = app.records("seen")
    assert sum(await asyncio.gather(*[records.add("m-1", n) for n in range(20)])) == 1
    found = await records.get("m-1")
    assert found is not None
    tries = await asyncio.gather(
        *[records.put("m-1", n, version=found.version) for n in range(20)], return_exceptions=True
    )
    assert sum(isinstance(each, RecordConflict) for each in tries) == 19
    now = await records.get("m-1")
    assert now is not None
    assert now.version > found.version
    with pytest.raises(RecordConflict, match=f"has version {now.version} now"):
        await records.delete("m-1", version=found.version)
    assert await records.delete("m-1", version=now.version)
    assert not await records.delete("m-1")
    with pytest.raises(RecordConflict, match="has no entry now"):
        await records.put("m-1", 1, version=now.version)
    again = await records.put("m-1", 1)
    assert again.version > now.version, "a version is not used again"


@ON_ONE_SERVER
async def test_a_window_slides_and_its_count_is_never_too_low(app: App) -> None:
    records = app.records("rate")
    assert await records.count("sms", 2, by=0) == 0
    assert [await records.count("sms", 2) for _ in range(3)] == [1, 2, 3]
    assert await records.count("sms", 2, by=10) == 13
    assert await records.count("sms", 2, by=0) == 13
    assert await records.count("mail", 2) == 1
    await asyncio.sleep(1.0)
    assert await records.count("sms", 2, by=5) == 18, "all of it lies in the last two seconds"
    await asyncio.sleep(1.15)
    assert await records.count("sms", 2, by=0) == 5, "only the later part does now"
    assert await records.delete("sms")
    assert await records.count("sms", 2, by=0) == 0


@ON_ONE_SERVER
async def test_counts_of_many_at_once_are_all_counted(app: App) -> None:
    records = app.records("rate")
    counts = await asyncio.gather(*[records.count("sms", "1h") for _ in range(200)])
    assert sorted(counts) == list(range(1, 201))


@ON_ONE_SERVER
async def test_one_entry_too_many_is_refused_until_another_is_over(
    app: App, client: redis.Redis, prefix: str
) -> None:
    records = app.records("few", limit=3)
    await records.put("a", 1, lifetime="100ms")
    await records.put("b", 1)
    await records.count("c", 60)
    with pytest.raises(RecordsFull, match="3 entries") as full:
        await records.put("d", 1)
    assert (full.value.code, full.value.limit) == ("records-full", 3)
    with pytest.raises(RecordsFull):
        await records.count("d", 60)
    await records.put("b", 2)
    await asyncio.sleep(0.12)
    await records.put("d", 1)
    assert client.hlen(Keys(prefix, "few").records) == 3


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("key", "given", "said"),
    [
        ("", {}, "cannot be a key"), ("x" * 501, {}, "1 to 500 characters"), ("a\nb", {}, "one line"), (5, {}, "key"),
        ("k", {"lifetime": 0}, "1 ms to 3660 days"), ("k", {"lifetime": "soon"}, "write seconds"),
        ("k", {"lifetime": "3661d"}, "1 ms to 3660 days"), ("k", {"version": -1}, "not a version"),
        ("k", {"value": object()}, "no JSON form"), ("k", {"value": float("nan")}, "no JSON form"),
        ("k", {"value": "x" * 70_000}, "at most 65,536"),
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused_with_what_can(
    app: App, key: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await app.records("r").put(key, **{"value": 1, **given})
    assert await app.records("r").get("k") is None


@ON_ONE_SERVER
async def test_names_bounds_and_counts_are_checked(app: App) -> None:
    with pytest.raises(ConfigurationError, match="cannot name"):
        app.records("a b")
    with pytest.raises(UsageError, match="use 1 to 10,000,000"):
        app.records("r", limit=0)
    with pytest.raises(UsageError, match="cannot be counted"):
        await app.records("r").count("k", 60, by=-1)


async def test_several_entries_are_read_at_once(app: App, client: redis.Redis, prefix: str) -> None:
    records = app.records("seen")
    put = await records.put("a", 1)
    await records.put("b", 2)
    client.hset(Keys(prefix, "seen").records, "vb", b"7\n{")
    assert await records.get_many(["a", "none", "b"]) == [put, None, None]
    assert await records.get_many([]) == []
    with pytest.raises(UsageError, match="cannot be a key"):
        await records.get_many(["a", ""])


async def test_all_entries_are_listed_page_by_page_in_the_order_of_their_ends(app: App) -> None:
    records = app.records("unknown")
    for number in range(25):
        await records.put(f"m {number}", number, lifetime=1000 - number)
    await records.count("m 1", 60)
    found, page = [], await records.list(limit=7)
    while page:
        found += page
        page = await records.list(page[-1], limit=7)
    assert [each.value for each in found] == list(range(24, -1, -1))
    assert await records.size() >= 25
    for limit in (0, 1_001):
        with pytest.raises(UsageError, match="1 to 1,000"):
            await records.list(limit=limit)


async def test_entries_that_end_together_are_all_listed_and_large_ones_in_small_pages(
    app: App, client: redis.Redis, prefix: str
) -> None:
    records, keys = app.records("unknown"), Keys(prefix, "unknown")
    for name in [f"k{number:04}" for number in range(1_200)]:
        client.hset(keys.records, f"v{name}", b'1\n"' + b"x" * (60_000 if name < "k0020" else 1) + b'"')
        client.zadd(keys.records_ends, {f"v{name}": 4_000_000_000_000})
    found, page, pages = [], await records.list(limit=1_000), 0
    while page:
        found += page
        pages += 1
        page = await records.list(page[-1], limit=1_000)
    assert [each.key for each in found] == [f"k{number:04}" for number in range(1_200)]
    assert pages >= 4

"""Unique jobs: of several with one key, which stands, and when the key is free again."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, InvalidPayload, Unique, UsageError
from streamq.model.keys import Keys


@pytest.fixture
def task(app: App) -> Any:
    @app.task(queue="q")
    async def t(x: dict[str, Any]) -> None: ...

    return t


async def test_while_a_job_has_the_key_its_handle_is_what_everybody_gets(task: Any, app: App) -> None:
    first = await task.enqueue({"n": 1}, key="k")
    second = await task.enqueue({"n": 2}, key="k", delay=60)
    assert (first.disposition, second.disposition) == ("created", "existing")
    assert first.id == second.id
    assert (await second.status()).payload == {"n": 1}
    assert (await app.queue("q").counts()).waiting == 1


@pytest.mark.parametrize(
    "options", [{}, {"delay": 60}, {"priority": "high"}], ids=["waiting", "delayed", "high"]
)
async def test_the_one_that_has_not_begun_is_replaced_under_its_id(
    task: Any, app: App, options: dict[str, Any]
) -> None:
    replace = Unique(conflict="replace")
    first = await task.enqueue({"n": 1}, key="k", unique=replace, **options)
    before = await first.status()
    second = await task.enqueue({"n": 2}, key="k", unique=replace, **options)
    after = await first.status()
    assert (second.id, second.disposition) == (first.id, "replaced")
    assert (after.payload, after.state, after.due_at) == ({"n": 2}, before.state, before.due_at)


async def test_the_first_of_a_window_wins_and_after_it_the_next_does(
    task: Any, client: redis.Redis, prefix: str
) -> None:
    window = Unique(window=60)
    first = await task.enqueue({"n": 1}, key="k", unique=window)
    assert (await task.enqueue({"n": 2}, key="k", unique=window)).id == first.id
    client.hset(Keys(prefix, "q").unique, "k", f"{first.id} 1")  # as if it had ended long ago
    third = await task.enqueue({"n": 3}, key="k", unique=window)
    assert (third.id != first.id, third.disposition) == (True, "created")


async def test_a_debounced_job_is_put_off_by_each_further_one_but_not_beyond_its_limit(task: Any) -> None:
    last_wins = Unique(debounce=30, at_most=40)
    first = await task.enqueue({"n": 1}, key="k", unique=last_wins)
    born = (await first.status()).created_at
    second = await task.enqueue({"n": 2}, key="k", unique=Unique(debounce=3600, at_most=40))
    after = await second.status()
    assert (second.id, second.disposition, after.payload) == (first.id, "replaced", {"n": 2})
    assert after.due_at is not None
    assert born is not None
    assert (after.due_at - born).total_seconds() == pytest.approx(40, abs=0.01)


async def test_jobs_that_follow_are_held_in_their_order(task: Any, app: App) -> None:
    queued = Unique(conflict="queue")
    jobs = [await task.enqueue({"n": n}, key="k", unique=queued) for n in range(3)]
    assert [job.disposition for job in jobs] == ["created", "following", "following"]
    assert [(await job.status()).state.value for job in jobs] == ["waiting", "held", "held"]


async def test_the_key_is_made_of_the_fields_that_the_task_names(app: App) -> None:
    @app.task(queue="q", unique=Unique(fields=["order", "who.id"]))
    async def pay(x: dict[str, Any]) -> None: ...

    first = await pay.enqueue({"order": 1, "who": {"id": 7}, "note": "a"})
    again = await pay.enqueue({"order": 1, "who": {"id": 7}, "note": "b"})
    other = await pay.enqueue({"order": 1, "who": {"id": 8}})
    assert (again.id, again.disposition) == (first.id, "existing")
    assert other.id != first.id
    with pytest.raises(InvalidPayload, match=r"'who\.id'"):
        await pay.enqueue({"order": 1, "who": 5})
    many = await pay.enqueue_many([{"order": n % 3, "who": {"id": 9}} for n in range(9)])
    assert len({job.id for job in many}) == 3
    assert [job.disposition for job in many] == ["created"] * 3 + ["existing"] * 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "never"}, {"conflict": "merge"}, {"window": -1}, {"window": 1, "debounce": 1}, {"at_most": 5},
        {"fields": "order"}, {"fields": []}, {"window": 5, "conflict": "replace"}, {"debounce": "soon"},
        {"until": "started", "conflict": "latest"},
    ],
)  # fmt: skip
def test_what_cannot_be_says_what_can(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Unique\(.*(use|give|leave|nothing to follow)"):
        Unique(**wrong)


@pytest.mark.parametrize("key", ["", "k" * 201, "a\nb", 5, b"k", "\ud800"])
async def test_a_key_that_cannot_be_is_refused_before_anything_is_sent(task: Any, app: App, key: Any) -> None:
    with pytest.raises(UsageError, match=r"key=.*200 characters"):
        await task.enqueue({}, key=key)
    assert (await app.queue("q").counts()).waiting == 0

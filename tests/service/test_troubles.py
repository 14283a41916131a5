"""What is wrong with the queue server and with what it keeps: in words, the worst first, and nothing is guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from streamq_service.api.troubles import troubles
from streamq_service.room import Room
from streamq_service.settings import ServiceSettings

from streamq import App, OperationRecord, ServerState, State
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server
from .conftest import Service

Start = Callable[..., AbstractAsyncContextManager[Service]]
MB = 2**20
AT = datetime(2026, 1, 2, tzinfo=UTC)


def a_server(used: int = 0, limit: int = 0, apart: float | None = None) -> ServerState:
    return ServerState(used * MB, limit * MB, "noeviction", "on", "master", apart)


def texts(state: ServerState, hours: float | None = None, operations: Any = ()) -> list[str]:
    return [each["text"] for each in troubles(state, hours, [], [], operations)]


def seen(*used: int, every: float = 60.0) -> Room:
    room = Room(App())
    for number, megabytes in enumerate(used):
        room.saw(megabytes * MB, number * every)
    return room


def test_how_long_memory_lasts_is_told_from_its_growth() -> None:
    room = seen(*range(100, 120, 2), every=60)  # two megabytes a minute
    hours = room.hours_left(a_server(120, 1320))
    assert hours == pytest.approx(10)
    (said,) = texts(a_server(120, 1320), hours)
    assert said.startswith(
        "The queue server has memory for 10 more hours as it grows now, 9% is used: raise its"
    )
    assert "for 30 more minutes" in texts(a_server(120, 180), room.hours_left(a_server(120, 180)))[0]


@pytest.mark.parametrize(
    "room",
    [
        seen(100),
        seen(100, 110, 120, 130, every=30),
        seen(100, 130, 100, 130, 100, 130, 100, 130),
        seen(130, 120, 110, 100, 90, 80, 70, 60),
        seen(0, 0, 0, 0, 0, 0, 0, 0),
    ],
    ids=["one look", "90 seconds", "ups and downs", "shrinks", "nothing told"],
)
def test_nothing_is_said_of_the_time_that_memory_lasts_where_that_is_not_known(room: Room) -> None:
    assert room.hours_left(a_server(130, 1000)) is None
    assert texts(a_server(130, 1000), room.hours_left(a_server(130, 1000))) == []


def test_without_a_limit_memory_lasts_and_what_was_long_ago_counts_for_nothing() -> None:
    room = seen(*range(100, 120, 2))
    assert room.hours_left(a_server(120)) is None
    room.saw(500 * MB, 20_000)
    assert room.hours_left(a_server(500, 1000)) is None


def test_a_memory_that_is_nearly_full_is_told_also_where_it_does_not_grow() -> None:
    (said,) = texts(a_server(900, 1000))
    assert said.startswith("The memory of the queue server is 90% full, and no job is taken when all is used")
    assert texts(a_server(800, 1000)) == []


@pytest.mark.parametrize(
    ("apart", "words"), [(3.2, "is 3 s ahead of"), (-61.0, "is 61 s behind"), (0.9, ""), (None, "")]
)
def test_clocks_that_are_more_than_a_second_apart_are_told(apart: float | None, words: str) -> None:
    said = texts(a_server(apart=apart))
    assert len(said) == bool(words)
    assert all(words in text for text in said)


def an_operation(number: int, state: str, kind: str = "retry") -> OperationRecord:
    return OperationRecord(
        f"q.{number}", "q", kind, (State.FAILED,), state, 5, 1000, created_at=AT, reason="1 of 5 failed again"
    )


def test_an_operation_that_was_stopped_is_told_until_its_like_is_begun_again() -> None:
    stopped = an_operation(1, "stopped")
    assert texts(a_server(), operations=[stopped]) == [
        "The retry in q was stopped after 5 of 1,000 jobs: 1 of 5 failed again. Mend what fails, then begin it again."
    ]
    assert texts(a_server(), operations=[an_operation(2, "running"), stopped]) == []
    assert len(texts(a_server(), operations=[an_operation(2, "done", "delete"), stopped])) == 1


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_key_of_somebody_else_and_what_workers_note_are_told_with_their_names(
    start: Start, settings: Callable[..., ServiceSettings], sums: App, shared_server: Server, prefix: str
) -> None:
    sums.notes.set("model", "is not loaded: install it")
    key = Keys(prefix, "sums").failed
    async with start(settings(), sums) as service, working(sums, name="w1"), working(sums, name="w2"):
        await until(lambda: _noted(sums))
        with shared_server.client() as client:
            client.set(key, "junk")
        _, _, found = await service.get("/api/v1/server")
    told = {each["text"]: each["page"] for each in found["troubles"] if each["page"]}
    assert told == {
        f"Queue sums has a key of somebody else: {key} is a string, and ours is a list: what needs it is refused. "
        f"Find out who wrote it, then `redis-cli RENAME '{key}' NEW-NAME`.": ["queues", "sums"],
        "2 workers: model: is not loaded: install it": ["workers"],
    }
    assert abs(found["clock_apart"]) < 1
    assert found["memory_hours"] is None


async def _noted(app: App) -> bool:
    return [len(worker.notes) for worker in await app.workers()] == [1, 1]


async def test_a_server_that_may_forget_jobs_says_so_in_words_the_worst_first(
    start: Start, settings: Callable[..., ServiceSettings], own_server: Callable[..., Server]
) -> None:
    server = own_server(aof=False)
    with redis.Redis.from_url(server.url) as link:
        await asyncio.to_thread(link.config_set, "maxmemory-policy", "allkeys-lru")
    given = settings(redis_url=server.url)
    async with start(given, App(given)) as service:
        _, _, found = await service.get("/api/v1/server")
    assert [(each["tone"], each["text"].partition(":")[0]) for each in found["troubles"]] == [
        ("bad", "The queue server removes jobs when it is full"),
        ("warn", "The queue server writes nothing to disk"),
    ]
    assert found["troubles"][0]["text"].endswith("Set maxmemory-policy to noeviction.")

"""The HTTP API and the bare handler beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from bench import bare, bare_api
from bench.http_load import load
from bench.process import SERVED, free_port, serving
from bench.server import PREFIX, Server, open_server
from bench.tasks import QUEUE, message

PAYLOAD = message(1).model_dump()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with open_server(None) as server:
        yield server


@pytest.fixture
async def bare_url(server: Server) -> AsyncIterator[str]:
    port = free_port()
    async with Redis.from_url(server.url) as client:
        runner = await bare_api.serve(client, port)
        yield f"http://127.0.0.1:{port}{bare_api.PATH}"
        await runner.cleanup()


async def test_the_bare_handler_answers_like_the_real_one(server: Server, bare_url: str) -> None:
    given = {"STREAMQ_REDIS_URL": server.url, "STREAMQ_PREFIX": PREFIX}
    async with (
        serving("api", SERVED, **given) as (_, url),
        aiohttp.ClientSession() as session,
    ):
        body = {"task": "book", "payload": PAYLOAD}
        async with session.post(f"{url}/api/v1/queues/{QUEUE}/jobs", json=body) as real:
            ours = await real.json()
        async with session.post(bare_url, json=PAYLOAD) as answer:
            theirs = await answer.json()
    assert real.status == answer.status == 201
    assert real.content_type == answer.content_type
    assert ours["id"].partition("-")[1] == theirs["id"].partition("-")[1] == "-"
    entries = await server.client.xrange(bare.STREAM)
    assert [entry.decode() for entry, _ in entries] == [theirs["id"]], "one XADD, of that entry"
    assert ours["payload"] == PAYLOAD


async def test_the_clients_count_what_the_server_has_done(server: Server, bare_url: str) -> None:
    said = await load(bare_url, PAYLOAD, clients=3, seconds=0.2)
    assert 0 < said["median"] <= said["p99"]
    assert 0 < said["rate"] * 0.2 <= await server.client.xlen(bare.STREAM)


async def test_an_answer_that_made_no_job_is_not_counted_but_an_error(bare_url: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await load(f"{bare_url}/nowhere", PAYLOAD, clients=1, seconds=0.2)
    assert "the server answered HTTP/1.1 404" in str(caught.value.exceptions[0])

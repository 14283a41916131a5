"""The dashboard is whole in itself, live, and shows what it is given as text alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from streamq_service.dashboard import pages
from streamq_service.dashboard.feed import BACKLOG, Feed
from streamq_service.messaging import CHANNELS, messaging_app
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import shared_keys
from ..servers import Server
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
Work = Callable[[App], AbstractAsyncContextManager[Worker]]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
STATIC = Path(pages.__file__).with_name("static")


Event = tuple[str, str, Any]


@asynccontextmanager
async def events(service: Service, **headers: str) -> AsyncIterator[Callable[[], Any]]:
    """``await hear()`` gives the next event of the stream: its id, its name and its data."""
    async with service.http.get(service.url + "/api/v1/events", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"

        async def hear() -> Event:
            fields: dict[str, str] = {}
            async with asyncio.timeout(10):
                async for line in response.content:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name:
                        fields[name] = value
                    elif "event" in fields:
                        return fields["id"], fields["event"], orjson.loads(fields["data"])
            raise AssertionError("the stream ended")

        yield hear


async def test_the_page_and_its_files_come_with_a_strict_policy(service: Service) -> None:
    for path in ("/", *(f"/static/{file.name}" for file in STATIC.iterdir())):
        async with service.http.get(service.url + path) as response:
            assert response.status == 200
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            assert "unsafe" not in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            etag = response.headers["ETag"]
        async with service.http.get(service.url + path, headers={"If-None-Match": etag}) as response:
            assert (response.status, await response.read()) == (304, b"")


async def test_nothing_outside_the_folder_is_served(service: Service) -> None:
    for name in ("..%2fpages.py", "..%2f..%2fapp.py", "%2fetc%2fpasswd", "nothing.js", "index.html%00"):
        status, _, _ = await service.get(f"/static/{name}")
        assert status == 404, name


def test_the_page_needs_nothing_from_elsewhere_and_makes_no_markup_of_data() -> None:
    for file in STATIC.iterdir():
        text = file.read_text()
        addresses = set(re.findall(r"\bhttps?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, file.name
        assert len(text.splitlines()) <= 400 or file.suffix == ".css", file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|srcdoc", text), (
            file.name
        )
        assert not re.search(r"\son\w+=|<script>|style=", text) or file.suffix != ".html", file.name


def test_script_and_style_are_small_and_every_script_is_used() -> None:
    files = [file for file in STATIC.iterdir() if file.suffix in {".js", ".css"}]
    of_the_page = [file for file in files if not file.name.startswith("docs")]  # the API's page has its own
    assert sum(file.stat().st_size for file in of_the_page) < 200_000
    texts = "".join(file.read_text() for file in STATIC.iterdir())
    assert not [file.name for file in files if file.name not in texts]


def test_every_script_of_the_page_is_asked_for_at_once() -> None:
    page = (STATIC / "index.html").read_text()
    scripts = {file.name for file in STATIC.glob("*.js") if not file.name.startswith("docs")}
    assert set(re.findall(r'(?:modulepreload"|module") (?:href|src)="static/([\w.]+)"', page)) == scripts


async def test_a_stream_begins_with_a_snapshot_and_tells_what_changes(service: Service) -> None:
    async with events(service) as hear:
        _, name, data = await hear()
        assert name == "snapshot"
        assert set(data["queues"]) == {queue for channel in CHANNELS for queue in channel.queues}
        assert data["workers"] == []
        await service.post("/api/schedule-sms", GOOD)
        while True:
            _, name, data = await hear()
            assert name == "change"
            if data["queues"]:
                break
        assert data["queues"].keys() == {"send-sms-queue"}
        assert data["queues"]["send-sms-queue"]["held"] == 1
        assert "workers" not in data


async def test_a_resumed_stream_begins_with_a_snapshot_too(service: Service) -> None:
    async with events(service) as hear:
        last, _, _ = await hear()
    async with events(service, **{"Last-Event-ID": last}) as hear:
        assert (await hear())[1] == "snapshot"


async def test_a_server_that_is_away_is_told_and_a_snapshot_follows_its_return(
    own_server: Callable[..., Server], prefix: str, start: Start
) -> None:
    server = own_server()
    settings = ServiceSettings(
        redis_url=server.url, prefix=prefix, connect_timeout=1, command_timeout=1, feed_interval=0.1
    )
    async with start(settings, messaging_app(settings)) as service, events(service) as hear:
        assert (await hear())[1] == "snapshot"
        server.stop()
        while (told := await hear())[1] != "unavailable":
            assert told[1] == "change"
        assert told[2]["detail"]
        server.start()
        while (told := await hear())[1] != "snapshot":
            assert told[1] == "unavailable"


async def test_a_slow_browser_loses_its_queue_and_gets_a_fresh_snapshot(
    settings: Callable[..., ServiceSettings],
) -> None:
    async with messaging_app(settings()) as engine:
        feed = Feed(engine, interval=3600)
        with feed.watch() as slow, feed.watch() as quick:
            frames = quick.frames(60)
            for _ in range(3 * BACKLOG):
                await feed.once()
                await anext(frames)
            assert slow.waiting <= BACKLOG
            first = await anext(slow.frames(60))
            assert b"event: snapshot\n" in first
        await feed.close()


async def test_a_queue_that_is_gone_is_told_as_gone(
    settings: Callable[..., ServiceSettings], shared_server: Server, prefix: str
) -> None:
    async with messaging_app(settings()) as engine:
        await engine.enqueue("short-lived", "task", 1)
        feed = Feed(engine, interval=3600)
        with feed.watch() as watcher:
            frames = watcher.frames(60)
            assert b'"short-lived":{' in await anext(frames)
            with shared_server.client() as client:
                client.srem(shared_keys(prefix).queues, "short-lived")
            await feed.once()
            assert b'"short-lived":null' in await anext(frames)
        await feed.close()


async def test_a_sample_that_fails_for_whatever_reason_is_not_the_last(
    settings: Callable[..., ServiceSettings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with messaging_app(settings()) as engine:
        feed, failing = Feed(engine, interval=0.01), [RuntimeError("a fault of ours")]
        sound = feed._sample

        async def sample() -> dict[str, Any]:
            if failing:
                raise failing.pop()
            return await sound()

        monkeypatch.setattr(feed, "_sample", sample)
        with feed.watch() as watcher:
            async with asyncio.timeout(10):
                assert b"event: snapshot" in await anext(watcher.frames(60))
        await feed.close()
    assert "a sample of the live counts failed" in caplog.text


async def test_the_server_is_asked_only_while_somebody_watches(
    settings: Callable[..., ServiceSettings],
) -> None:
    async with messaging_app(settings()) as engine:
        feed = Feed(engine, interval=0.001)
        with feed.watch() as watcher:
            assert b"snapshot" in await anext(watcher.frames(60))
            sampler = next(task for task in asyncio.all_tasks() if task.get_name() == "feed")
        with pytest.raises(asyncio.CancelledError):
            await sampler
        assert "feed" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_silence_is_filled_with_heartbeats(settings: Callable[..., ServiceSettings]) -> None:
    async with messaging_app(settings()) as engine:
        feed = Feed(engine, interval=3600)
        with feed.watch() as watcher:
            frames = watcher.frames(0.01)
            while not (frame := await anext(frames)).startswith(b":"):
                assert b"snapshot" in frame


async def test_no_more_may_watch_than_are_allowed(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(max_watchers=1)) as service, events(service) as hear:
        await hear()
        status, headers, problem = await service.get("/api/v1/events")
        assert (status, problem["code"], headers["Retry-After"]) == (503, "too-many-watchers", "30")


async def test_streams_end_with_the_service(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with aiohttp.ClientSession() as http:
        async with start(settings()) as service:
            response = await http.get(service.url + "/api/v1/events")
            await response.content.readline()
        async with asyncio.timeout(2):
            await response.read()


async def test_all_works_behind_a_path(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with start(settings(base_path="/mail/")) as service:
        async with service.http.get(service.url + "/mail") as response:
            assert (response.status, response.url.path) == (200, "/mail/")
        status, headers, _ = await service.post("/mail/api/schedule-sms", GOOD)
        assert status == 201
        assert (await service.get(headers["Location"]))[0] == 200
        assert (await service.get("/api/v1/queues"))[0] == 404

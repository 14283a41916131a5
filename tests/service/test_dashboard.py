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

from ..servers import Server
from .browser import Page, browsing, find_browser
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
Work = Callable[[App], AbstractAsyncContextManager[Worker]]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
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
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|srcdoc", text), (
            file.name
        )
        assert not re.search(r"\son\w+=|<script>|style=", text) or file.suffix != ".html", file.name


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
                client.srem(f"{prefix}:queues", "short-lived")
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


@pytest.fixture
async def page(server_kind: str) -> AsyncIterator[Page]:
    program = find_browser()
    if program is None or server_kind != "redis":
        pytest.skip("no Chromium is on the PATH" if program is None else "a browser sees no difference")
    async with browsing(program) as page:
        yield page


async def test_a_browser_shows_live_counts_and_hostile_names_as_text(
    page: Page, service: Service, work: Work
) -> None:
    await page.open(service.url)
    await page.until("document.querySelector('.totals strong')?.textContent === '0'")
    message = {"to": "<b>x</b>", "message": HOSTILE, "workspace_id": "<i>w</i>", "contact_id": HOSTILE}
    async with work(service.engine):
        await (await service.engine.enqueue("send-sms-queue", "send-sms", message)).result(10)
        await page.until("document.querySelector('#workers strong')")
    await page.until("document.querySelector('[data-state=completed] strong').textContent === '1'")
    await page.until("document.querySelector('#jobs summary')")
    await page.run("document.querySelector('#jobs summary').click()")
    assert await page.run("document.querySelector('#jobs .who').textContent") == "<b>x</b>"
    assert await page.run("document.querySelector('#jobs .tag').textContent") == "<i>w</i>"
    assert await page.run("document.querySelector('#jobs .text').textContent") == HOSTILE
    assert (
        await page.run("document.querySelectorAll('#jobs b, #jobs i, #jobs img, #jobs script').length") == 0
    )
    assert await page.run("document.title") == "streamq"
    assert page.complaints == []


async def test_a_browser_sends_a_message_and_shows_the_errors_beside_their_fields(
    page: Page, service: Service, sandbox: Service, work: Work
) -> None:
    await page.open(service.url)
    await page.until("document.getElementById('freshness').textContent === 'live'")
    await page.run("document.querySelector('[name=message]').value = ''")
    await page.run("document.querySelector('[name=delay]').value = '-1'")
    await page.run("document.querySelector('#send button').click()")
    await page.until("document.querySelectorAll('#send .error').length === 2")
    assert await page.run("document.activeElement.name") == "message"
    await page.run("document.querySelector('[name=message]').value = 'from a browser'")
    await page.run("document.querySelector('[name=delay]').value = ''")
    async with work(service.engine):
        await page.run("document.querySelector('#send button').click()")
        await page.until("document.querySelector('.sent strong')?.textContent === 'completed'")
        assert "1 segment of GSM-7" in await page.run("document.querySelector('.sent').textContent")
        await page.until("document.querySelector('#channels')?.textContent.includes('email')")
        assert "send-sms-queue" in await page.run("document.querySelector('#channels').textContent")
    (call,) = (await sandbox.get("/ledger"))[2]["calls"]
    assert call["body"] == {"to": "+15550100", "message": "from a browser", "workspaceId": 66338}


async def test_a_browser_cancels_a_job_when_it_is_asked_twice_and_lets_it_wait_again(
    page: Page, service: Service
) -> None:
    _, _, job = await service.post("/api/schedule-sms", {**GOOD, "delay": 60})
    at = f"/api/v1/queues/{job['queue']}/jobs/{job['id']}"

    async def press(state: str, button: str) -> None:
        await page.open(f"{service.url}/#queue={job['queue']}&state={state}")
        await page.until("document.querySelector('#jobs summary')")
        await page.run("document.querySelector('#jobs summary').click()")
        named = f"find((b) => b.textContent.startsWith('{button}'))"
        for _ in range(2):
            await page.run(f"[...document.querySelectorAll('.actions button')].{named}?.click()")
        await page.until("document.querySelector('#jobs .empty')")

    await press("delayed", "Cancel")
    record = (await service.get(at))[2]
    assert (record["state"], record["error"]["message"]) == ("cancelled", "on the dashboard")
    await press("cancelled", "Try again")
    assert (await service.get(at))[2]["state"] == "held"
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_a_browser_of_any_width_needs_no_sideways_scrolling(
    page: Page, service: Service, width: int, scheme: str
) -> None:
    long = {"to": "+15550100", "message": "x" * 1600, "workspaceId": "w" * 256}
    await service.post("/api/schedule-sms", long)
    await page.open(f"{service.url}/#queue=send-sms-queue&state=waiting", width=width, scheme=scheme)
    await page.until("document.querySelector('#jobs summary')")
    await page.run("document.querySelector('#jobs summary').click()")
    assert await page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []


async def test_a_browser_says_when_the_connection_is_lost(
    page: Page, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings()) as service:
        await page.open(service.url)
        await page.until("document.getElementById('freshness').textContent === 'live'")
        assert await page.run("document.getElementById('banner').hidden") is True
    await page.until("!document.getElementById('banner').hidden")
    assert "known" in await page.run("document.getElementById('banner').textContent")
    assert await page.run("document.getElementById('main').classList.contains('stale')") is True


async def test_a_browser_asks_for_a_key_and_goes_on_with_it(
    page: Page, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(api_keys="secret-of-sixteen=write", base_path="/jobs")) as service:
        await page.open(f"{service.url}/jobs/")
        await page.until("document.getElementById('key-dialog').open")
        await page.run("document.querySelector('[name=key]').value = 'secret-of-sixteen'")
        await page.run("document.querySelector('#key-form button').click()")
        await page.until("document.getElementById('freshness').textContent === 'live'")

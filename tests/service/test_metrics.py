"""Figures for Prometheus."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from streamq_service.api import metrics
from streamq_service.api.exposition import Family, text_of
from streamq_service.messaging import messaging_app

from streamq import App, Fail, Worker

from ..rig import until
from ..servers import Server
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(service: Service, **headers: str) -> tuple[str, Samples]:
    """The text, and each value by its name and labels."""
    async with service.http.get(service.url + "/metrics", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await response.text()
    families = list(text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples)
    return text, found


def of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"streamq_{name}", frozenset(labels.items())


async def test_they_tell_jobs_workers_slots_memory_and_how_long_the_first_waits(
    start: Start, settings: Callable[..., Any], sums: App, work: Work
) -> None:
    async with start(settings(), sums) as service:
        await service.post("/api/v1/queues/sums/jobs", {"task": "add", "payload": 1})
        await service.post("/api/v1/queues/sums/jobs", {"task": "add", "payload": 1, "delay": 60})
        await service.send("POST", "/api/v1/queues/sums/pause", {"reason": "a test"})
        _, found = await scraped(service)
        assert found[of("jobs", queue="sums", state="waiting")] == 1
        assert found[of("jobs", queue="sums", state="delayed")] == 1
        assert found[of("queue_workers", queue="sums")] == 0
        assert found[of("queue_paused", queue="sums")] == 1
        assert 0 <= found[of("oldest_waiting_age_seconds", queue="sums")] < 60
        assert found[of("server_up")] == 1
        assert found[of("server_memory_bytes")] > 100_000
        async with work(sums):

            async def is_told() -> bool:
                _, now = await scraped(service)
                return (now[of("workers")], now[of("worker_slots")]) == (1, sums.settings.concurrency)

            await until(is_told)
            (worker,) = await sums.workers()
            await sums.worker(worker.name).quiet()

            async def serves_nobody() -> bool:
                _, now = await scraped(service)
                serving = of("queue_workers", queue="sums")
                return (now[of("workers")], now[of("worker_slots")], now[serving]) == (1, 0, 0)

            await until(serves_nobody)


async def test_they_count_what_comes_of_jobs_and_messages_and_how_long_that_takes(
    start: Start, settings: Callable[..., Any], sandbox: Service, work: Work
) -> None:
    given = settings(sms_api_url=sandbox.url)
    app = messaging_app(given)

    @app.task(queue="odd", attempts=1)
    async def fail() -> None:
        raise Fail("it is to fail")

    async with start(given, app) as service, work(app):
        await app.enqueue("odd", "fail")
        sent = {"to": "+15550100199", "message": "hi", "workspaceId": 7}
        await service.post("/api/v1/messages/sms", sent, Prefer="wait=20")
        engine = service.engine

        async def are_counted() -> bool:
            found = await engine.totals()
            told = await engine.tallies("messages-by-channel").totals()
            ends = found["odd"].outcomes["failed"], found["send-sms-queue"].outcomes["completed"]
            return (*ends, "sms" in told and told["sms"].counts.get("sent")) == (1, 1, 1)

        await until(are_counted)
        _, found = await scraped(service)
        assert found[of("attempts_total", queue="odd", outcome="failed")] == 1
        assert found[of("messages_total", channel="sms", outcome="sent")] == 1
        for name in ("run", "wait"):
            assert found[of(f"{name}_seconds_count", queue="send-sms-queue")] == 1
            assert found[of(f"{name}_seconds_bucket", queue="send-sms-queue", le="+Inf")] == 1
            assert found[of(f"{name}_seconds_bucket", queue="send-sms-queue", le="16777.216")] == 1
            assert 0 <= found[of(f"{name}_seconds_sum", queue="send-sms-queue")] < 60
        assert found[of("attempts_total", queue="odd", outcome="completed")] == 0, "told before there is one"
        assert found[of("deliveries_unknown")] == 0


async def test_a_server_that_is_away_is_told_and_no_error(
    own_server: Callable[..., Server], start: Start, settings: Callable[..., Any]
) -> None:
    server = own_server()
    async with start(settings(redis_url=server.url, connect_timeout=1, command_timeout=1)) as service:
        server.stop()
        text, found = await scraped(service)
        assert found[of("server_up")] == 0
        assert "streamq_build_info" in text
        assert "streamq_jobs" not in text


async def test_many_who_ask_cost_one_look(service: Service) -> None:
    info = service.engine.client.store.server.info
    before = int((await info())["total_commands_processed"])
    await asyncio.gather(*(scraped(service) for _ in range(30)))
    after = int((await info())["total_commands_processed"])
    await scraped(service)
    assert after - before < 200


async def test_the_fullest_queues_are_told_apart_and_the_others_added_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST", 2)
    for name, number in (("a", 3), ("b", 2), ("c", 1), ("d", 1)):
        await service.engine.enqueue_many(name, "t", range(number))
    _, found = await scraped(service)
    told = {dict(labels)["queue"]: value for (name, labels), value in found.items()
            if name == "streamq_jobs" and dict(labels)["state"] == "waiting"}  # fmt: skip
    assert told == {"a": 3, "b": 2, "*": 2}
    assert of("queue_workers", queue="c") not in found


async def test_the_counters_of_the_busiest_queues_are_told_and_no_sum_of_the_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST", 2)
    store = service.engine.client.store
    await store.server.read_clock()
    await store.queues.announce("a", "b", "c")
    async with store.pool.links() as links:
        for name, number in (("a", 3), ("b", 1), ("c", 2)):
            await store.statistics.add(links, "w", {name: (1, {"t": Counter(failed=number, w9=number)})})
    text, found = await scraped(service)
    told = {dict(labels)["queue"]: value for (name, labels), value in found.items()
            if name == "streamq_attempts_total" and dict(labels)["outcome"] == "failed"}  # fmt: skip
    assert told == {"a": 3, "c": 2}
    for name, kind in (("attempts_total", "counter"), ("wait_seconds", "histogram"), ("jobs", "gauge")):
        assert f"# TYPE streamq_{name} {kind}\n" in text
    assert found[of("wait_seconds_count", queue="c")] == 2


async def test_with_keys_only_readers_are_told(start: Start, settings: Callable[..., Any]) -> None:
    key = "k" * 24
    async with start(settings(api_keys=f"{key}=read")) as service:
        status, _, _ = await service.get("/metrics")
        assert status == 401
        await scraped(service, Authorization=f"Bearer {key}")


def test_a_text_of_any_kind_is_a_label() -> None:
    odd = 'a "quoted" \\ and\nbroken \u202e \ud800'
    family = Family("streamq_odd", "A \\ and\na line")
    family.add(2.5, queue=odd)
    family.add(float("inf"), queue="x")
    [read] = text_string_to_metric_families(text_of([family]).decode())
    assert read.samples[0].labels == {"queue": odd.replace("\ud800", "?")}
    assert [sample.value for sample in read.samples] == [2.5, float("inf")]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
async def test_promtool_finds_nothing_to_say(service: Service) -> None:
    text, _ = await scraped(service)
    check = await asyncio.create_subprocess_exec(
        "promtool", "check", "metrics", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await check.communicate(text.encode())
    assert (check.returncode, told) == (0, b"")


DOCS = Path(__file__).parents[2] / "docs"


def named_in(text: str) -> set[str]:
    """But for how the samples of a histogram end."""
    names = re.findall(r"\bstreamq_[a-z_]+", text)
    return {re.sub("(?<=_seconds)_(bucket|sum|count)$", "", name) for name in names}


def test_rules_dashboard_and_page_name_what_is_told_and_the_page_all_of_it() -> None:
    told = set(re.findall(r'Family\(\s*"(streamq_[a-z_]+)"', Path(metrics.__file__).read_text()))
    assert named_in((DOCS / "alerts.yml").read_text()) <= told
    assert named_in((DOCS / "grafana.json").read_text()) <= told
    assert named_in((DOCS / "how-to" / "monitor.md").read_text()) == told


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
async def test_promtool_can_read_the_rules() -> None:
    check = await asyncio.create_subprocess_exec("promtool", "check", "rules", str(DOCS / "alerts.yml"))
    assert await check.wait() == 0


def test_the_page_says_what_to_do_about_each_alert() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (DOCS / "alerts.yml").read_text()))
    assert alerts == set(re.findall(r"`(Streamq\w+)`", (DOCS / "how-to" / "monitor.md").read_text()))

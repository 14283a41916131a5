"""Reports: a job tells how far it is and writes a log, as often as it likes, at a bounded price."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

import pytest
import redis

from streamq import App, Context, InvalidProgress, JobFailed, JobNotFound, Masked, ResultNotKept, UsageError
from streamq.duties.pruner import Pruner
from streamq.model.keys import Keys
from streamq.model.reports import JOBS, KEPT, PAGE, PAGES
from streamq.store.reports import Report
from streamq.testing import context

from ..rig import ON_ONE_SERVER, until, working


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix, "q")


async def test_a_job_tells_its_progress_and_a_log_from_a_coroutine_and_from_a_thread(app: App) -> None:
    @app.task(queue="q")
    async def waits(x: int, ctx: Context) -> None:
        for step in range(x):
            await ctx.progress(step / x, f"step {step}", data={"rows": step})
            ctx.log(f"line {step}")
        raise ValueError("no")

    @app.task(queue="q")
    def blocks(x: int, ctx: Context) -> int:
        ctx.progress(None, "in a thread")
        ctx.log("careful", "warning")
        return x

    async with working(app):
        failing = await waits.options(attempts=1).enqueue(4)
        with pytest.raises(JobFailed):
            await failing.result(10)
        job = await failing.status()  # all that it told is there once it has ended
        assert job.progress is not None
        assert (job.progress.value, job.progress.note, job.progress.data) == (0.75, "step 3", {"rows": 3})
        assert job.asdict()["progress"]["attempt"] == 1
        log = await failing.logs()
        assert [(line.number, line.text, line.level) for line in log.lines] == [
            (number, f"line {number - 1}", "info") for number in range(1, 5)
        ]
        sent = await blocks.enqueue(1)
        assert await sent.result(10) == 1
        assert [(line.level, line.text) for line in (await sent.logs()).lines] == [("warning", "careful")]
        assert (await sent.status()).progress.note == "in a thread"  # type: ignore[union-attr]
        silent = await app.enqueue("other", "any")
        assert (await silent.logs()).lines == []
        with pytest.raises(JobNotFound):
            await app.queue("q").logs("1-1")


@ON_ONE_SERVER
async def test_a_log_keeps_its_last_lines_and_says_how_many_were_dropped(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    @app.task(queue="q")
    async def chatters(x: int, ctx: Context) -> None:
        for number in range(x):
            ctx.log(f"{number} {'é' * 500}")
            if number % 100 == 0:
                await asyncio.sleep(0.06)  # so that it is written in several parts

    async with working(app):
        job = await chatters.enqueue(450)
        await job.result(10)
    log = await job.logs()
    assert log.written == 450 == log.dropped + len(log.lines)
    assert [line.number for line in log.lines] == list(range(log.dropped + 1, 451))
    assert log.lines[-1].text.startswith("449 ")
    stored = client.hgetall(keys.logs)
    assert len(stored) <= PAGES + 1
    sizes = [len(str(page).encode()) for page in stored.values()]
    assert KEPT / 2 < sum(sizes) <= KEPT + 100
    assert max(sizes) <= PAGE


@ON_ONE_SERVER
async def test_a_line_of_10_mb_is_cut_and_says_so(app: App) -> None:
    @app.task(queue="q")
    async def shouts(x: int, ctx: Context) -> None:
        ctx.log("x" * 10_000_000)
        ctx.log("\x00" * 4_000)
        ctx.log("half a character: \ud83d\nand a second line")
        await ctx.progress(0.5, "n" * 10_000)

    async with working(app):
        job = await shouts.enqueue(1)
        await job.result(10)
    long, odd, half = [line.text for line in (await job.logs()).lines]
    assert long.endswith("… (cut: it has 10,000,000 characters)")
    assert len(long) < 4_100
    assert odd.endswith("(cut: it has 4,000 characters)")
    assert half.endswith("\nand a second line")
    progress = (await job.status()).progress
    assert progress is not None
    assert len(progress.note) < 600


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"value": 1.5}, "from 0 to 1"), ({"value": True}, "from 0 to 1"), ({"value": float("nan")}, "from 0 to 1"),
        ({"note": 7}, "give text"), ({"data": object()}, "no JSON form"), ({"data": "x" * 5_000}, "at most 4,096"),
    ],
)  # fmt: skip
def test_progress_that_cannot_be_kept_is_an_error_in_the_handler(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidProgress, match=why):
        context().progress(**given)


def test_a_level_that_is_none_is_an_error_in_the_handler() -> None:
    with pytest.raises(UsageError, match="debug, info, warning"):
        context().log("x", "loud")  # type: ignore[arg-type]


def test_a_test_of_a_handler_sees_what_it_tells() -> None:
    told: list[Any] = []
    ctx = context(told=told)
    ctx.progress(0.5, "half")
    ctx.log("a line", "error")
    progress, line = told
    assert (progress.value, progress.note, line.level, line.text) == (0.5, "half", "error", "a line")


async def test_many_reports_cost_few_commands(app: App, client: redis.Redis) -> None:
    """10,000 calls within a second, of ten jobs: some commands for each twentieth of a second that they take."""

    @app.task(queue="q")
    async def chatters(x: int, ctx: Context) -> None:
        for number in range(500):
            await ctx.progress(number / 500)
            ctx.log(f"line {number}")
            if number % 25 == 0:
                await asyncio.sleep(0.02)

    async with working(app):
        before = client.info("commandstats")
        jobs = await chatters.enqueue_many(range(10))
        await asyncio.gather(*(job.result(20) for job in jobs))
        after = client.info("commandstats")
    calls = {
        name: after[f"cmdstat_{name}"]["calls"] - before.get(f"cmdstat_{name}", {"calls": 0})["calls"]
        for name in ("hmget", "hset")
    }
    assert calls["hmget"] <= 150
    assert calls["hset"] <= 150


@ON_ONE_SERVER
async def test_a_write_whose_answer_was_lost_adds_no_line_twice(app: App) -> None:
    report = Report("1-1", b"", 0, 0, [b'[1,1,"info","a"]', b'[1,1,"info","b"]'])
    async with app.client.store.pool.links() as links:
        for mark in ("w.1", "w.1", "w.2"):
            assert await app.client.store.reports.write(links, mark, {"q": [report]}) == {}
    assert [line.text for line in (await app.client.store.reports.log("q", "1-1")).lines] == ["a", "b"] * 2


@ON_ONE_SERVER
async def test_reports_of_too_many_jobs_are_forgotten_the_oldest_first(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    client.zadd(keys.reports, {f"1-{number}": number for number in range(JOBS + 50)})
    client.hset(keys.logs, mapping={"1-0": "1 0 m", "1-0:0": '1\n[1,1,"info","a"]'})
    report = Report("2-1", b"[1,1,0.5,null,null]", 0, 0, [b'[1,1,"info","a"]'])
    async with app.client.store.pool.links() as links:
        await app.client.store.reports.write(links, "w.1", {"q": [report]})
    assert client.zcard(keys.reports) == JOBS + 1  # that which came
    assert set(client.hkeys(keys.logs)) == {"2-1", "2-1:0"}


@ON_ONE_SERVER
async def test_reports_go_with_the_record_of_their_job(app: App, client: redis.Redis, keys: Keys) -> None:
    @app.task(queue="q")
    async def tells(x: int, ctx: Context) -> None:
        await ctx.progress(0.5)
        ctx.log("a line")

    async with working(app):
        kept, gone = await tells.enqueue_many([1, 2])
        await asyncio.gather(kept.result(10), gone.result(10))
    await gone.delete()
    await Pruner(app.client.store, lambda: ["q"]).see_to("q")
    assert client.hkeys(keys.progress) == [kept.id]
    assert client.zrange(keys.reports, 0, -1) == [kept.id]
    assert sorted(client.hkeys(keys.logs)) == [kept.id, f"{kept.id}:0"]


@ON_ONE_SERVER
async def test_a_queue_whose_reports_are_refused_completes_its_jobs(
    app: App, client: redis.Redis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    client.set(keys.logs, "of another type")

    @app.task(queue="q")
    async def tells(x: int, ctx: Context) -> int:
        ctx.log("a line")
        return x

    async with working(app):
        assert await (await tells.enqueue(7)).result(10) == 7
    assert "cannot write reports of q" in caplog.text


async def test_what_a_handler_logs_becomes_lines_of_its_log_where_its_task_asks_for_it(app: App) -> None:
    shop = logging.getLogger("shop")

    async def says(x: int) -> None:
        shop.warning("%d to go", x)
        await asyncio.to_thread(shop.error, "from a thread")
        logging.getLogger("streamq.own").warning("none of the handler's")

    caught, plain = (
        app.task(queue="q", name="caught", capture_logs=True)(says),
        app.task(queue="q", name="p")(says),
    )
    async with working(app):
        jobs = [await caught.enqueue(1), await plain.enqueue(2)]
        await asyncio.gather(*(job.result(10) for job in jobs))
        shop.warning("outside")
    lines = (await jobs[0].logs()).lines
    assert [(line.level, line.text) for line in lines] == [("warning", "1 to go"), ("error", "from a thread")]
    assert (await jobs[1].logs()).lines == []


@ON_ONE_SERVER
async def test_what_is_masked_in_the_payload_is_masked_in_what_the_handler_tells(app: App) -> None:
    @app.task(queue="q", capture_logs=True)
    async def pays(card: Annotated[str, Masked], ctx: Context) -> None:
        await ctx.progress(0.5, f"charging {card}", data={"cards": [card, 7]})
        ctx.log(f"charged {card}")
        logging.getLogger("shop").warning("charged %s again", card)

    async with working(app):
        job = await pays.enqueue('4111-"1111"')
        await job.result(10)
    progress = (await job.status()).progress
    assert progress is not None
    assert (progress.note, progress.data) == ("charging ***", {"cards": ["***", 7]})
    assert [line.text for line in (await job.logs()).lines] == ["charged ***", "charged *** again"]


async def test_a_result_is_kept_as_long_as_its_task_or_its_job_says(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    @app.task(queue="q", keep_result=0)
    async def secret(x: int) -> int:
        return x

    @app.task(queue="q")
    async def plain(x: int) -> int:
        return x

    @app.task(queue="q", keep_result=0)
    async def nothing(x: int) -> None: ...

    async with working(app):
        assert await (await nothing.enqueue(1)).result(10) is None  # type: ignore[func-returns-value]
        none, brief = await secret.enqueue(7), await plain.enqueue(7, keep_result="1h")
        with pytest.raises(ResultNotKept):
            await none.result(10)
        assert await brief.result(10) == 7
        assert await (await secret.enqueue(7, keep_result=60)).result(10) == 7  # the job's own word counts
    job = await none.status()
    assert (job.state, job.result, job.asdict()["result_kept"]) == ("completed", None, False)
    assert await until(lambda: client.zscore(keys.results, brief.id))
    client.zadd(keys.results, {brief.id: 1})  # an hour later
    await Pruner(app.client.store, lambda: ["q"]).see_to("q")
    job = await brief.status()
    assert (job.state, job.payload, job.result, job.result_kept) == ("completed", 7, None, False)
    assert client.zcard(keys.results) == 1

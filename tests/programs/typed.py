"""For type checkers: each line that ends in ``# wrong: …`` is an error, of that code for mypy, and no other line is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, assert_type

from streamq import (
    App,
    Backoff,
    Context,
    Failure,
    Job,
    JobRecord,
    Masked,
    Retry,
    RetryPolicy,
    State,
    SyncJob,
    Task,
)

app = App(redis_url="unix:///nonexistent/s", concurrency=3, queues=["a"], redis_password="hidden")
App(redis_ulr="unix:///nonexistent/s")  # wrong: call-arg
App(concurrency="many")  # wrong: arg-type


@dataclass
class Message:
    to: str


@app.task
async def send(message: Message) -> int:
    return len(message.to)


def decide(error: BaseException, ctx: Context) -> Retry | None:
    return Retry(after=ctx.attempt) if isinstance(error, OSError) else None


@app.task(
    retry_on={OSError: Backoff.linear("5s"), TimeoutError: RetryPolicy(attempts=9)}, fail_on=(KeyError, ValueError),
    give_up_after="1h", on_error=decide, version=2, upgrade=lambda payload, _: payload, aliases=("deliver",),
)  # fmt: skip
async def send_masked(number: Annotated[str, Masked]) -> int:
    return len(number)


app.task(fail_on="OSError")  # wrong: arg-type
app.task(give_up_after=[])  # wrong: call-overload


@app.task(queue="sms", attempts=3)
async def send_with_context(message: Message, ctx: Context) -> int:
    return ctx.attempt


@app.task
async def report(day: str | None = None, region: str = "eu") -> float:
    return 1.0


@app.task
async def add(left: int, right: int) -> int:
    return left + right


@app.task
async def add_first(ctx: Context, left: int, right: int) -> int:
    return left + right + ctx.attempt


@app.task
async def add_last(left: int, right: int, ctx: Context) -> int:
    return left + right + ctx.attempt


@app.task
async def first_of_defaults(ctx: Context, day: str, region: str = "eu") -> int:
    return ctx.attempt


@app.task
async def between(day: str, ctx: Context, region: str = "eu") -> int:
    return ctx.attempt


@app.task
async def tick() -> None: ...


@app.task
def plain(message: Message) -> int:
    return len(message.to)


@app.task
def plain_add(left: int, right: int) -> int:
    return left + right


@app.task
def plain_with_context(message: Message, ctx: Context) -> int:
    return ctx.attempt


@app.task
def plain_add_first(ctx: Context, left: int, right: int) -> int:
    return left + right + ctx.attempt


@app.task
async def three(a: int, b: int, *, c: int = 3) -> int:
    return a + b + c


async def right() -> None:
    message = Message("a")
    assert_type(send, Task[Message, int])
    assert_type(await send.enqueue(message, delay=60, attempts=3), Job[int])
    assert_type(await (await send.enqueue(message)).result(3), int)
    assert_type(await send.options(delay=60).enqueue(message), Job[int])
    assert_type(await send.enqueue_many([message], delay=60), list[Job[int]])
    assert_type(
        await send.enqueue(message, at=datetime(2030, 1, 1, tzinfo=UTC), durability="fsync"), Job[int]
    )
    assert_type(await send_with_context.enqueue(message, timeout=5), Job[int])
    assert_type(await report.enqueue(region="us"), Job[float])
    assert_type(await report.enqueue(), Job[float])
    assert_type(await report.options(delay=60).enqueue(day="2026-11-26", region="eu"), Job[float])
    assert_type(await add.enqueue(left=1, right=2), Job[int])
    assert_type(await add_first.enqueue(left=1, right=2), Job[int])
    assert_type(await add_last.options(attempts=3).enqueue(left=1, right=2), Job[int])
    assert_type(await first_of_defaults.enqueue(day="2026-11-26"), Job[int])
    assert_type(await first_of_defaults.options(delay=3).enqueue("2026-11-26", region="us"), Job[int])
    assert_type(await between.enqueue(day="2026-11-26"), Job[int])
    assert_type(await tick.options(delay=3).enqueue(), Job[None])
    assert_type(await plain.enqueue(message), Job[int])
    assert_type(await plain_add.enqueue(left=1, right=2), Job[int])
    assert_type(await plain_with_context.enqueue(message, delay=3), Job[int])
    assert_type(await plain_add_first.enqueue(left=1, right=2), Job[int])
    assert_type(await three.enqueue(a=1, b=2, c=3), Job[int])
    each: list[Task[Message, int]] = [send, send_with_context, plain]
    assert each


def right_without_a_loop() -> None:
    assert_type(app.sync.enqueue(send, Message("a"), delay=3), SyncJob[int])
    assert_type(app.sync.enqueue(send, Message("a")).result(3), int)
    assert_type(app.sync.enqueue(report, region="us"), SyncJob[float])
    assert_type(app.sync.enqueue(plain_add, left=1, right=2), SyncJob[int])
    assert_type(app.sync.enqueue(send.options(delay=3), Message("a")), SyncJob[int])
    assert_type(app.sync.enqueue(report.options(delay=3), region="us"), SyncJob[float])
    assert_type(app.sync.enqueue_many(send, [Message("a")], attempts=3), list[SyncJob[int]])


async def what_is_known(record: JobRecord, ctx: Context) -> None:
    assert_type(await (await send.enqueue(Message("a"))).status(), JobRecord)
    assert_type(record.state, State)
    assert_type(record.due_at, datetime | None)
    assert_type(record.error, Failure | None)
    assert_type([failure.attempt for failure in record.history], list[int | None])
    assert_type(record.history[0].finished_at, datetime | None)
    assert_type(record.history[0].type, str)
    assert_type(ctx.attempt, int)
    assert_type(await ctx.app.enqueue("q", "send", {"to": "a"}), Job[Any])
    assert record.error.type  # wrong: union-attr
    assert record.history[0]["type"]  # wrong: index
    assert ctx.jobid  # wrong: attr-defined


async def wrong() -> None:
    await send.enqueue("a")  # wrong: arg-type
    await send.enqueue(Message("a"), dealy=5)  # wrong: call-arg
    await send.enqueue(Message("a"), delay=[5])  # wrong: arg-type
    await send.enqueue_many(["a"])  # wrong: list-item
    await send.options(dealy=5).enqueue(Message("a"))  # wrong: call-arg
    await send.options(delay=5).enqueue("a")  # wrong: arg-type
    await send.options(delay=5).enqueue(Message("a"), attempts=3)  # wrong: call-arg
    await send.enqueue(Message("a"), durability="disk")  # wrong: arg-type
    await send.enqueue(Message("a"), priority="high")  # wrong: call-arg
    await send.enqueue(to="a")  # wrong: call-arg
    await send_with_context.enqueue("a")  # wrong: arg-type
    await send_with_context.enqueue(Message("a"), dealy=5)  # wrong: call-arg
    await report.enqueue(dya="2026-11-26")  # wrong: call-overload
    await report.enqueue(delay=5)  # wrong: call-overload
    await report.options(dealy=5).enqueue()  # wrong: call-arg
    await report.options(delay=5).enqueue(region=3)  # wrong: call-overload
    await report.enqueue(region=3)  # wrong: call-overload
    await add.enqueue(left=1)  # wrong: call-overload
    await add.enqueue(left="one", right=2)  # wrong: call-overload
    await add_first.enqueue(left=1)  # wrong: call-overload
    await plain_with_context.enqueue("a")  # wrong: arg-type
    await plain_add_first.enqueue(left=1)  # wrong: call-arg
    await tick.enqueue(3)  # wrong: call-overload
    await three.enqueue(a=1, b=2, d=3)  # wrong: call-overload


def wrong_without_a_loop() -> None:
    app.sync.enqueue(send, "a")  # wrong: call-overload
    app.sync.enqueue(send, Message("a"), dealy=5)  # wrong: call-arg
    app.sync.enqueue(report, region=3)  # wrong: call-overload
    app.sync.enqueue(report, delay=3)  # wrong: call-overload
    app.sync.enqueue(report.options(delay=3), 3)  # wrong: call-overload
    app.sync.enqueue(report.options(delay=3), dya="2026-11-26")  # wrong: call-overload
    app.sync.enqueue("queue", "task", {}, dealy=5)  # wrong: call-overload

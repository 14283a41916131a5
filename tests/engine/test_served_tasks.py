"""What workers publish of their tasks: their queue, the JSON Schema of a payload, and their options."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import redis
from pydantic import BaseModel, PlainValidator

from streamq import App, Masked, TaskNotFound

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, shared_keys, until, working


class Order(BaseModel):
    """What is bought."""

    number: int
    card: Annotated[str, Masked]


def shop(app: App) -> App:
    """An app with one task."""

    @app.task(queue="orders", attempts=3, timeout="5m", aliases=("purchase",))
    async def buy(order: Order) -> None:
        """Buy what was ordered.

        And tell nobody.
        """

    return app


async def test_a_worker_publishes_its_tasks_with_schema_queue_and_options(app: App) -> None:
    async with working(shop(app)) as worker:
        await worker.is_ready.wait()
        (task,) = await app.served_tasks()
        assert (task.name, task.queue, task.workers) == ("buy", "orders", 1)
        assert task.description == "Buy what was ordered."
        assert task.options == {"attempts": 3, "timeout": 300.0, "keep_result": None, "on_failed": None}
        assert task.masked == ("/card",)
        assert task.schema is not None
        assert task.schema["properties"]["number"] == {"title": "Number", "type": "integer"}
        assert await app.served_task("purchase") == task, "a name that it had before finds it"
        with pytest.raises(TaskNotFound, match="did you mean buy"):
            await app.served_task("buyy")


@ON_ONE_SERVER
async def test_a_task_without_a_worker_says_so_until_another_worker_begins(
    make_app: Callable[..., App],
) -> None:
    async with make_app() as app:
        async with working(shop(app)) as worker:
            await worker.is_ready.wait()
        (task,) = await app.served_tasks()
        assert (task.name, task.workers) == ("buy", 0)
    async with make_app() as other:
        other.task(name="sell", queue="orders")(lambda x: x)
        async with working(other) as worker:
            await worker.is_ready.wait()
            assert [task.name for task in await other.served_tasks()] == ["sell"]


@ON_ONE_SERVER
async def test_a_worker_that_serves_other_queues_does_not_count(app: App) -> None:
    async with working(shop(app), queues=["elsewhere"]) as worker:
        await worker.is_ready.wait()
        (task,) = await app.served_tasks()
        assert task.workers == 0


@ON_ONE_SERVER
async def test_tasks_of_one_name_in_two_queues_are_two(make_app: Callable[..., App]) -> None:
    async with make_app() as orders, make_app() as billing:

        @orders.task(name="confirm", queue="orders")
        async def order(number: int) -> None: ...

        @billing.task(name="confirm", queue="billing")
        async def bill(text: str) -> None: ...

        async with working(orders), working(billing):
            both = [("confirm", "billing", 1), ("confirm", "orders", 1)]

            async def listed() -> bool:
                return [(task.name, task.queue, task.workers) for task in await orders.served_tasks()] == both

            await until(listed)
            assert (await orders.served_task("confirm", "orders")).schema["type"] == "integer"
            assert (await orders.served_task("confirm", "billing")).schema["type"] == "string"
            with pytest.raises(TaskNotFound):
                await orders.served_task("confirm", "others")


@ON_ONE_SERVER
async def test_what_the_server_has_lost_is_published_again(
    app: App, client: redis.Redis, prefix: str
) -> None:
    async with working(shop(app)) as worker:
        await worker.is_ready.wait()
        client.delete(*client.scan_iter(f"{prefix}*"))
        await until(
            lambda: [name.split("\n")[0] for name in client.hkeys(shared_keys(prefix).tasks)] == ["buy"]
        )


@ON_ONE_SERVER
async def test_a_task_without_a_schema_and_one_that_nobody_can_read_hide_no_other(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def odd(
        x: Annotated[Any, PlainValidator(lambda value: value, json_schema_input_type=object)],
    ) -> None: ...

    async with working(shop(app)) as worker:
        await worker.is_ready.wait()
        client.hset(shared_keys(prefix).tasks, mapping={"broken": "{", "wrong": json.dumps([1])})
        assert [task.name for task in await app.served_tasks()] == ["buy", "odd"]


@ON_ONE_SERVER
async def test_the_command_line_lists_tasks_and_shows_one(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    calls = [Call(("task", "ls")), Call(("task", "get", "buy", "--json")), Call(("task", "get", "bye"))]
    async with working(shop(app)) as worker:
        await worker.is_ready.wait()
        listed, shown, missing = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
    assert listed.out.splitlines()[1].split()[:4] == ["buy", "orders", "1", "3"]
    assert json.loads(shown.out)["schema"]["title"] == "Order"
    assert (missing.code, "did you mean buy" in missing.err) == (3, True)

"""Values of many types through every door: Python, the command line, HTTP; and back as results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase
from hypothesis import given as given_values
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter
from streamq_service.settings import ServiceSettings

from streamq import App, InvalidPayload, JSONText, Task
from streamq.cli.jobs import job as job_command
from streamq.model import codec

from ..kinds import Kind, kinds, unusual
from ..rig import ON_ONE_SERVER
from .conftest import Service, running, working

pytestmark = pytest.mark.keeps_keys

Make = Callable[..., ServiceSettings]
QUEUE = "values"


class Doors:
    """One task for each type, on a running service with a worker; ``got`` is what the handlers were given."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings, self.app = settings, App(settings)
        self.got: list[Any] = []

    def task(self, declared: Any) -> Task[Any, Any]:
        async def handler(x: Any) -> Any:
            self.got.append(x)
            return x

        handler.__annotations__.update({"x": declared, "return": declared})
        return self.app.task(name=f"t{len(self.app.tasks)}", queue=QUEUE, attempts=1)(handler)

    async def by_http(self, service: Service, task: str, payload: bytes) -> tuple[int, Any]:
        body = b'{"task": "%b", "payload": %b}' % (task.encode(), payload)
        status, _, said = await service.post(f"/api/v1/queues/{QUEUE}/jobs", body, Prefer="wait=10")
        return status, said

    async def by_command(self, task: str, payload: bytes) -> str:
        arguments = ["enqueue", QUEUE, task, "--payload", payload.decode(), "--wait", "10", "--json"]
        settings = {
            "STREAMQ_REDIS_URL": self.settings.secret("redis_url"),
            "STREAMQ_PREFIX": self.settings.prefix,
        }
        ended = await asyncio.to_thread(
            CliRunner().invoke, job_command, arguments, env=settings, catch_exceptions=False
        )
        return ended.output


@ON_ONE_SERVER
@given_values(st.lists(kinds | unusual, min_size=10, max_size=10))
@limits(
    max_examples=6,
    phases=[Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_value_arrives_as_it_was_through_python_the_command_line_and_http(
    settings: Make, some: list[Kind]
) -> None:
    async def try_all() -> None:
        doors = Doors(settings())
        tasks = [doors.task(kind.type) for kind in some]
        async with running(doors.settings, doors.app) as service, working(doors.app):
            for task, (_, value) in zip(tasks, some, strict=True):
                assert await (await task.enqueue(value)).result(10) == value
                raw = task.encode(value)
                status, said = await doors.by_http(service, task.name, raw)
                assert (status, said.get("state")) == (200, "completed"), said
                await doors.by_command(task.name, raw)
                assert doors.got == [value] * 3, (task.schema(), raw)
                assert [type(each) for each in doors.got] == [type(value)] * 3
                doors.got.clear()

    asyncio.run(try_all())


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3) | st.dates()
    | st.decimals() | st.uuids() | kinds.map(lambda kind: kind.value),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.sets(st.integers())
    | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given_values(
    anything, kinds.map(lambda kind: kind.type) | st.sampled_from([Any, list[Any], str | int, object])
)
@limits(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_to_whatever_type_is_refused_or_arrives_as_the_type_took_it(
    value: Any, declared: Any
) -> None:
    doors = Doors(ServiceSettings())
    task = doors.task(declared)
    try:
        raw = task.encode(value)
    except InvalidPayload:
        return
    codec.loads(raw)  # it stays JSON that others read
    again = next(iter(task.arguments(raw).values()))
    taken = TypeAdapter(declared).validate_python(value, by_alias=True, by_name=True)
    assert again == taken or repr(again) == repr(taken)  # NaN is not equal to itself


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    order_id: int = Field(alias="orderId")
    placed_at: datetime = Field(validation_alias=AliasChoices("placedAt", "placed"))


@ON_ONE_SERVER
async def test_the_public_form_with_aliases_is_taken_over_http_and_the_command_line(settings: Make) -> None:
    doors = Doors(settings())
    task, big = doors.task(Order), doors.task(int)
    untyped = doors.task(Any)
    said = b'{"orderId": 18446744073709551617, "placedAt": "2030-01-01T00:00:00Z"}'
    async with running(doors.settings, doors.app) as service, working(doors.app):
        assert (await doors.by_http(service, task.name, said))[0] == 200
        await doors.by_command(task.name, said)
        order = Order(orderId=2**64 + 1, placedAt=datetime(2030, 1, 1, tzinfo=UTC))  # type: ignore[call-arg]
        assert doors.got == [order] * 2
        doors.got.clear()
        for each in (big, untyped):
            status, answer = await doors.by_http(service, each.name, b"18446744073709551617")
            assert (status, answer["result"], answer["payload"]) == (200, 2**64 + 1, 2**64 + 1)
            assert '"result":18446744073709551617' in await doors.by_command(
                each.name, b"18446744073709551617"
            )
        assert doors.got == [2**64 + 1] * 4
        status, answer = await doors.by_http(service, task.name, b'{"orderId": "1"}')
    assert status == 422
    assert [error["pointer"] for error in answer["errors"]] == ["/payload/orderId", "/payload/placedAt"]


@ON_ONE_SERVER
async def test_a_task_without_parameters_is_run_by_null_from_every_door(settings: Make) -> None:
    doors = Doors(settings())

    @doors.app.task(queue=QUEUE)
    async def nothing() -> str:
        return "done"

    async with running(doors.settings, doors.app) as service, working(doors.app):
        assert (await doors.by_http(service, "nothing", b"null"))[1]["result"] == "done"
        body = {"task": "nothing"}
        _, _, answer = await service.post(f"/api/v1/queues/{QUEUE}/jobs", body, Prefer="wait=10")
        assert answer["result"] == "done"
        assert '"result":"done"' in await doors.by_command("nothing", b"null")
        for payload in (None, {}, JSONText("null")):
            assert await (await doors.app.enqueue(QUEUE, "nothing", payload)).result(10) == "done"

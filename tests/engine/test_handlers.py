"""What can run runs, as it is called; what cannot is refused where it is declared, with the way out."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from streamq import App, ConfigurationError, Context, InvalidPayload, JobFailed

from ..rig import ON_ONE_SERVER, working


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def plain_double(x: int) -> int:
    return 2 * x


@functools.wraps(plain_double)
async def async_over_plain(x: int) -> int:
    return await asyncio.to_thread(plain_double, x)


@functools.wraps(double)
def plain_over_async(x: int) -> Awaitable[int]:
    return double(x)


class Doubler:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    async def __call__(self, x: int, ctx: Context) -> int:
        assert ctx.attempt == 1
        return self.factor * x

    def method(self, x: int) -> int:
        return self.factor * x

    @staticmethod
    async def fixed(x: int) -> int:
        return 2 * x


class PlainDoubler:
    def __call__(self, x: int) -> int:
        return 2 * x


def scaled(factor: int, x: int, *, offset: int) -> int:
    return factor * x + offset


HANDLERS: dict[str, Callable[..., Any]] = {
    "async_over_plain": async_over_plain,
    "plain_over_async": plain_over_async,
    "lambda_over_async": lambda x: double(x + 0),
    "Doubler": Doubler(2),
    "PlainDoubler": PlainDoubler(),
    "bound_method": Doubler(2).method,
    "static_method": Doubler.fixed,
    "partial_of_async": functools.partial(double),
    "partial_of_plain": functools.partial(scaled, 2, offset=0),
    "partial_of_object": functools.partial(PlainDoubler()),
    "partial_of_partial": functools.partial(functools.partial(scaled, 2), offset=0),
}


@ON_ONE_SERVER
async def test_whatever_can_be_called_with_a_payload_runs_to_its_end(app: App) -> None:
    tasks = [app.task(name=name)(handler) for name, handler in HANDLERS.items()]
    async with working(app):
        jobs = [await task.enqueue(21) for task in tasks]
        assert [await job.result(10) for job in jobs] == [42] * len(jobs)


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (functools.partial(double), "double"),
        (functools.partial(functools.partial(scaled, 2), offset=0), "scaled"),
        (Doubler(2), "Doubler"),
        (functools.partial(PlainDoubler()), "PlainDoubler"),
        (Doubler(2).method, "method"),
        (async_over_plain, "plain_double"),
    ],
)
def test_a_handler_without_a_name_of_its_own_has_that_of_its_function_or_class(
    handler: Any, name: str
) -> None:
    assert App().task(handler).name == name


@ON_ONE_SERVER
async def test_a_plain_handler_that_hands_on_a_coroutine_has_it_awaited_in_the_loop(app: App) -> None:
    async def where(x: int) -> str:
        return threading.current_thread().name

    task = app.task(name="where")(lambda x: where(x + 1))
    async with working(app):
        assert await (await task.enqueue(1)).result(10) == threading.main_thread().name


@ON_ONE_SERVER
async def test_the_time_limit_holds_for_a_coroutine_that_is_handed_on(app: App) -> None:
    task = app.task(name="long", timeout=0.2, attempts=1)(lambda x: asyncio.sleep(60 + x))
    async with working(app):
        with pytest.raises(JobFailed, match="TimeLimit"):
            await (await task.enqueue(1)).result(10)


@ON_ONE_SERVER
async def test_what_returns_a_generator_fails_and_says_so(app: App) -> None:
    task = app.task(name="lazy", attempts=1)(lambda x: (n for n in range(x)))
    async with working(app):
        with pytest.raises(JobFailed, match="generator, whose body has not run"):
            await (await task.enqueue(3)).result(10)


def _generator(x: int) -> Iterator[int]:
    yield x


async def _async_generator(x: int) -> AsyncIterator[int]:
    yield x


class _Generating:
    def __call__(self, x: int) -> Iterator[int]:
        yield x


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (_generator, "generator.*Collect"),
        (_async_generator, "generator.*Collect"),
        (functools.partial(_generator), "generator"),
        (_Generating(), "generator"),
        (Doubler, "class.*object with __call__"),
        (functools.partial(Doubler), "class"),
        ("double", "cannot be called"),
        (5, "cannot be called"),
        (functools.partial(functools.partial(print)), "no name to send|does not tell"),
        (dict.update, "no name to send|does not tell"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_run_is_refused_where_it_is_declared(handler: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        App().task(name="x")(handler)


def _with_an_option(number: int, durability: str) -> None: ...


def _with_an_option_to_come(number: int, parent: int) -> None: ...


def _alone_with_an_option(delay: int = 5) -> None: ...


def _of_a_class(self, number: int) -> None: ...  # type: ignore[no-untyped-def]


def _with_two_contexts(number: int, one: Context, other: Context) -> None: ...


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (_with_an_option, "'durability' of task .* is an option of enqueue: rename it"),
        (_with_an_option_to_come, "'parent' of task .* is reserved for an option of enqueue: rename it"),
        (_alone_with_an_option, "'delay' of task .* is an option of enqueue: rename it"),
        (_of_a_class, "'self' of task .* takes the object of a method, and a worker has none"),
        (_with_two_contexts, "2 parameters"),
    ],
)
def test_parameters_that_cannot_be_told_apart_are_refused_where_they_are_declared(
    handler: Any, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        App().task(handler)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"que": "sms"}, "'que' is not a parameter of app.task: did you mean queue"),
        ({"retries": 5}, "'retries' is not a parameter of app.task: there are aliases, attempts, backoff"),
        ({"queue": 5}, "5 cannot name a queue"),
        ({"name": 5}, "5 cannot name a task"),
    ],
    ids=str,
)
def test_a_policy_that_there_is_not_is_refused_where_it_is_written(policy: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        App().task(**policy)(lambda x: x)


def _may_do_without(x: int, ctx: Context | None = None) -> str:
    return "" if ctx is None else ctx.idempotency_key


def _annotated(x: int, ctx: Annotated[Context, "ours"]) -> str:
    return ctx.idempotency_key


@pytest.mark.parametrize("handler", [_may_do_without, _annotated])
async def test_a_context_that_may_be_left_out_when_called_by_hand_is_given_by_a_worker(
    app: App, handler: Any
) -> None:
    task = app.task(name="t")(handler)
    async with working(app):
        job = await task.enqueue(1)
        assert await job.result(10) == f"default:{job.id}"


def test_what_an_annotation_says_beside_the_type_counts() -> None:
    @App().task
    async def small(x: Annotated[int, Field(lt=10)]) -> None: ...

    with pytest.raises(InvalidPayload, match="less than 10"):
        small.encode(10)


@ON_ONE_SERVER
async def test_a_task_without_parameters_and_a_default_need_no_payload(app: App) -> None:
    @app.task
    async def nothing() -> str:
        return "done"

    @app.task
    async def spare(x: int = 5) -> int:
        return x

    async with working(app):
        jobs = [await nothing.enqueue(), await app.enqueue("default", "nothing"), await spare.enqueue()]
        assert [await job.result(10) for job in jobs] == ["done", "done", 5]


@pytest.mark.parametrize(
    "name", ["json", "copy", "schema", "model_config", "model_fields", "_x", "__x", "self", "dict"]
)
def test_a_parameter_may_have_any_name(name: str) -> None:
    made: dict[str, Any] = {}
    exec(f"def handler({name}: int, other: int = 2): return {name}", made)  # noqa: S102
    task = App().task(made["handler"])
    assert task(**task.arguments(task.encode({name: 1}))) == 1
    assert task.arguments(task.encode({name: 1})) == {name: 1, "other": 2}

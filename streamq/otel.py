"""Traces by OpenTelemetry: a span for each enqueue and for each attempt, in one trace. The extra is ``streamq[otel]``.

    from streamq.otel import instrument

    instrument(app)

A job carries the context of its enqueue in its header ``traceparent``, as W3C Trace Context writes it. No span has
anything of a payload or of the text of an error.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamq.errors import UsageError
from streamq.logs import CURRENT
from streamq.model import codec
from streamq.model.envelope import New
from streamq.model.headers import joined, traceparent_of
from streamq.program import Program
from streamq.task import Task
from streamq.verdicts import Fail, Verdict
from streamq.worker.attempt import Attempt

SYSTEM: Final = {"messaging.system": "streamq"}
_CONTEXT: Final = TraceContextTextMapPropagator()


def instrument(app: Program, tracer_provider: TracerProvider | None = None) -> None:
    """Trace what this app sends and runs, with the global provider by default. Call it before the app is opened.

    Without it nothing is traced and nothing is paid. Raises ``UsageError`` for an app that is traced already, or open.
    """
    if is_instrumented(app):
        raise UsageError("the app is traced already: call instrument(app) once")
    if app.client.is_open:
        raise UsageError("the app is open: call instrument(app) before that")
    tracer = trace.get_tracer("streamq", tracer_provider=tracer_provider)
    app.client.around_sends = functools.partial(_sending, tracer)
    before = app.lifespan

    @asynccontextmanager
    async def traced(running: Program) -> AsyncIterator[None]:
        """All tasks are declared by now."""
        for task in {id(task): task for task in app.tasks.values()}.values():
            if not hasattr(task.handler, "__streamq_traced__"):
                task.handler = _traced(tracer, task)
        async with before(running):
            yield

    app.lifespan = traced


def is_instrumented(app: Program) -> bool:
    """Whether ``instrument`` was called with it."""
    return app.client.around_sends is not None


@contextmanager
def following(traceparent: str | None, tracestate: str | None = None) -> Iterator[None]:
    """What is sent within is in the trace of these headers of a request, as W3C Trace Context writes them.

    Without them, or where they are malformed, it is in a trace of its own.
    """
    carrier = {"traceparent": traceparent or "", "tracestate": tracestate or ""}
    token = attach(_CONTEXT.extract(carrier, Context()))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def _sending(
    tracer: Tracer, queue: str, jobs: Sequence[New]
) -> Iterator[tuple[list[New], Callable[[list[str]], None]]]:
    """The jobs with the context of a span, and whom to tell their ids."""
    about = {**SYSTEM, "messaging.operation.type": "send", "messaging.destination.name": queue}
    with tracer.start_as_current_span(
        f"send {queue}",
        kind=SpanKind.PRODUCER,
        attributes=about,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield _carrying(jobs), functools.partial(_tell_ids, span)
        except BaseException as error:
            _tell_error(span, error)
            raise


def _carrying(jobs: Sequence[New]) -> list[New]:
    """The jobs, each with the context of the current span in its headers; as they are where there is none."""
    carrier = dict[str, str]()
    _CONTEXT.inject(carrier)
    if "traceparent" not in carrier:
        return list(jobs)
    header = codec.dumps({"traceparent": carrier["traceparent"]})
    return [job._replace(headers=joined(job.headers, header)) for job in jobs]


def _tell_ids(span: Span, answers: list[str]) -> None:
    """An answer is an id, with a colon and its disposition unless the job is new."""
    if len(answers) == 1:
        span.set_attribute("messaging.message.id", answers[0].partition(":")[0])
    else:
        span.set_attribute("messaging.batch.message_count", len(answers))


def _tell_error(span: Span, error: BaseException) -> None:
    """Its type alone: its text may have what is masked. A verdict other than ``Fail`` is no error."""
    if isinstance(error, Verdict) and not isinstance(error, Fail):
        span.set_attribute("streamq.verdict", type(error).__name__)
        return
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR)


def _traced(tracer: Tracer, task: Task[Any, Any]) -> Callable[..., Any]:
    """The handler within a span, where it is called for a job."""
    handler = task.handler

    async def run(*args: Any, **kwargs: Any) -> Any:
        with _running(tracer):
            return await handler(*args, **kwargs)

    def run_in_thread(*args: Any, **kwargs: Any) -> Any:
        with _running(tracer):
            return handler(*args, **kwargs)

    traced = functools.wraps(handler)(run if task.is_async else run_in_thread)
    traced.__dict__["__streamq_traced__"] = True
    return traced


@contextmanager
def _running(tracer: Tracer) -> Iterator[None]:
    attempt = CURRENT.get()
    if not isinstance(attempt, Attempt):  # it is called as a function
        yield
        return
    delivery = attempt.delivery
    queue, job_id = delivery.known_as
    parent = traceparent_of(delivery.headers)
    about: dict[str, str | int] = {
        **SYSTEM, "messaging.operation.type": "process", "messaging.destination.name": queue,
        "messaging.message.id": job_id, "streamq.task": delivery.task, "streamq.attempt": attempt.number,
    }  # fmt: skip
    with tracer.start_as_current_span(
        f"process {queue}", context=_CONTEXT.extract({"traceparent": parent} if parent else {}),
        kind=SpanKind.CONSUMER, attributes=about, record_exception=False, set_status_on_exception=False,
    ) as span:  # fmt: skip
        try:
            yield
        except BaseException as error:
            _tell_error(span, error)
            raise

"""Traces: enqueue and attempts are spans of one trace, whatever way a job takes, and nothing is paid without them."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from streamq import App, Backoff, Fail, JobFailed, Retry, UsageError
from streamq.model.headers import parse_headers, traceparent_of
from streamq.otel import instrument

from ..rig import ON_ONE_SERVER, until, working


class Traced:
    """An app that is traced, and the spans that have ended."""

    def __init__(self, settings: App, *, sampled: bool = True) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**({} if sampled else {"sampler": ParentBased(ALWAYS_OFF)}))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.app = App(settings.settings)
        instrument(self.app, self.provider)

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]

    async def ended(self, kind: SpanKind, many: int) -> list[ReadableSpan]:
        await until(lambda: len(self.spans(kind)) == many)
        return self.spans(kind)


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def itself(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


@ON_ONE_SERVER
async def test_the_caller_the_enqueue_each_attempt_and_what_handlers_do_are_one_trace(app: App) -> None:
    traced = Traced(app)
    tracer = traced.provider.get_tracer("shop")

    @traced.app.task(queue="q", attempts=3, backoff=Backoff(0.01, 0.01))
    async def work(number: int) -> int:
        with tracer.start_as_current_span("inner"):
            await asyncio.sleep(0)
        if len(traced.spans(SpanKind.CONSUMER)) == 0:
            raise ValueError("secret words")
        return number

    async with traced.app, working(traced.app):
        with tracer.start_as_current_span("caller") as caller:
            job = await work.enqueue(1)
        assert await job.result(10) == 1
        first, second = await traced.ended(SpanKind.CONSUMER, 2)
    (sent,) = traced.spans(SpanKind.PRODUCER)
    context = caller.get_span_context()
    assert parent_of(sent) == (context.trace_id, context.span_id)
    assert parent_of(first) == parent_of(second) == itself(sent)
    inner = [span for span in traced.exporter.get_finished_spans() if span.name == "inner"]
    assert [parent_of(span) for span in inner] == [itself(first), itself(second)]
    assert sent.attributes is not None and sent.attributes["messaging.message.id"] == job.id  # noqa: PT018
    assert [dict(each.attributes or {})["streamq.attempt"] for each in (first, second)] == [1, 2]
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert (first.attributes or {})["error.type"] == "ValueError"
    assert "secret words" not in "".join(span.to_json() for span in traced.exporter.get_finished_spans())


@ON_ONE_SERVER
async def test_many_jobs_jobs_by_name_or_made_once_and_handlers_in_threads_are_traced(app: App) -> None:
    traced = Traced(app)
    seen: list[int] = []

    @traced.app.task(queue="q", aliases=("old",))
    def work(number: int) -> None:
        seen.append(get_current_span().get_span_context().trace_id)

    async with traced.app, working(traced.app):
        await work.enqueue_many([1, 2], priority="high")
        await traced.app.enqueue("q", "work", 3)
        async with traced.app.once("q", "key", b"body") as request:
            job = await request.enqueue("work", 4)
        await traced.ended(SpanKind.CONSUMER, 4)
    many, one, once = traced.spans(SpanKind.PRODUCER)
    assert (once.attributes or {})["messaging.message.id"] == job.id
    assert (many.attributes or {})["messaging.batch.message_count"] == 2
    assert sorted(seen) == sorted([itself(many)[0]] * 2 + [itself(one)[0], itself(once)[0]])


@ON_ONE_SERVER
async def test_a_verdict_is_no_error_but_fail_is_and_a_traceback_begins_in_the_handler(app: App) -> None:
    traced = Traced(app)

    @traced.app.task(queue="q", attempts=3)
    async def work(_: int) -> None:
        if not traced.spans(SpanKind.CONSUMER):
            raise Retry(after=0)
        raise Fail("no")

    async with traced.app, working(traced.app):
        job = await work.enqueue(1)
        with pytest.raises(JobFailed):
            await job.result(10)
        retried, failed = await traced.ended(SpanKind.CONSUMER, 2)
        error = (await job.status()).error
    assert (retried.attributes or {})["streamq.verdict"] == "Retry"
    assert (retried.status.status_code, failed.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert error is not None
    assert "otel" not in (error.traceback or "")


@ON_ONE_SERVER
async def test_what_is_not_sampled_by_the_sender_is_not_sampled_by_the_worker(app: App) -> None:
    traced, worker = Traced(app, sampled=False), Traced(app)

    @worker.app.task(queue="q")
    async def work(_: int) -> None: ...

    async with traced.app, worker.app, working(worker.app):
        job = await traced.app.enqueue("q", "work", 1)
        await until(lambda: _is_completed(app, job.id))
    assert not worker.exporter.get_finished_spans()


async def _is_completed(app: App, job_id: str) -> bool:
    return (await app.queue("q").get(job_id)).state == "completed"


@ON_ONE_SERVER
async def test_without_it_jobs_have_no_header_and_handlers_are_as_they_were(app: App) -> None:
    @app.task(queue="q")
    async def work(_: int) -> None: ...

    handler = work.handler
    async with working(app):
        await (await work.enqueue(1)).result(10)
    assert work.handler is handler
    assert app.client.around_sends is None


async def test_an_app_is_traced_once_and_before_it_is_opened(app: App) -> None:
    with pytest.raises(UsageError, match="the app is open"):
        instrument(app)
    another = App(app.settings)
    instrument(another)
    with pytest.raises(UsageError, match="traced already"):
        instrument(another)


def test_only_what_the_standard_allows_is_read_from_a_header() -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    for text, found in (
        (good, good),
        (good.upper(), None),
        (f"00-{'0' * 32}-{'b' * 16}-01", None),
        ("x", None),
    ):
        assert traceparent_of(parse_headers(b'{"traceparent":"%b"}' % text.encode())) == found


@ON_ONE_SERVER
async def test_each_run_of_a_schedule_begins_a_trace(app: App) -> None:
    traced = Traced(app)

    @traced.app.schedule(every="1s")
    @traced.app.task(queue="q")
    async def tidy() -> None: ...

    async with traced.app, working(traced.app):
        await until(lambda: len(traced.spans(SpanKind.CONSUMER)) >= 2)
    first, second, *_ = traced.spans(SpanKind.CONSUMER)
    assert first.parent is second.parent is None
    assert itself(first)[0] != itself(second)[0]
    assert not traced.spans(SpanKind.PRODUCER)

"""A request's trace goes on in the handler of the job that it sends, and no header can be wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_trace_id, get_current_span
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings
from streamq_service.traces import switch_on

from streamq import App, ConfigurationError
from streamq.otel import instrument, is_instrumented

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]
Make = Callable[..., ServiceSettings]
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{CALLER}-01"
PATH = "/api/v1/queues/works/jobs"


def an_app(settings: ServiceSettings, seen: list[str]) -> App:
    app = App(settings)

    @app.task(name="work", queue="works")
    async def work(_number: int) -> None:
        seen.append(format_trace_id(get_current_span().get_span_context().trace_id))

    return app


def spans_of(app: App) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrument(app, provider)
    return exporter


async def sent(service: Service, **headers: str) -> str:
    status, _, job = await service.post(PATH, {"task": "work", "payload": 1}, **headers)
    assert status == 201
    return str(job["id"])


async def test_the_handler_of_a_job_runs_in_the_trace_of_the_request_that_sent_it(settings: Make) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    exporter = spans_of(app)
    async with running(given, app) as service, working(app):
        job = await sent(service, traceparent=GOOD, tracestate="vendor=1")
        run = await until(lambda: _span(exporter, SpanKind.CONSUMER))
    (enqueued,) = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.PRODUCER]
    assert seen == [TRACE]
    assert f"{enqueued.parent.span_id:016x}" == CALLER  # type: ignore[union-attr]
    assert run.parent.span_id == enqueued.context.span_id  # type: ignore[union-attr]
    assert (run.attributes or {})["messaging.message.id"] == job


async def test_each_job_of_a_batch_runs_in_the_trace_of_its_request(settings: Make) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    spans_of(app)
    async with running(given, app) as service, working(app):
        jobs = {"jobs": [{"task": "work", "payload": number} for number in range(3)]}
        assert (await service.post(f"{PATH}/batch", jobs, traceparent=GOOD))[0] in (200, 201, 207)
        await until(lambda: len(seen) == 3)
    assert seen == [TRACE] * 3


def _span(exporter: InMemorySpanExporter, kind: SpanKind) -> ReadableSpan | None:
    return next((span for span in exporter.get_finished_spans() if span.kind is kind), None)


async def test_a_trace_goes_on_also_through_a_service_that_records_no_spans(settings: Make) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    switch_on(app, given)  # as its commands do: the global provider is none here
    async with running(given, app) as service, working(app):
        await sent(service, traceparent=GOOD)
        await until(lambda: bool(seen))
    assert seen == [TRACE]


@pytest.mark.parametrize(
    "wrong",
    ["junk", "", GOOD.upper(), GOOD[:-1], f"ff-{TRACE}-{CALLER}-01", f"00-{'0' * 32}-{CALLER}-01",
     f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{CALLER}-zz", "00-" + "a" * 5_000, "é"],
)  # fmt: skip
async def test_a_malformed_header_is_no_error_and_begins_a_trace(settings: Make, wrong: str) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    spans_of(app)
    async with running(given, app) as service, working(app):
        await sent(service, traceparent=wrong)
        await until(lambda: bool(seen))
    assert TRACE not in seen
    assert int(seen[0], 16), "it is a trace of its own"


async def test_of_two_callers_in_one_request_none_counts(settings: Make) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    spans_of(app)
    other = GOOD.replace(TRACE, "b" * 32)
    async with running(given, app) as service, working(app):
        headers = [("traceparent", GOOD), ("traceparent", other)]
        job = {"task": "work", "payload": 1}
        async with service.http.post(service.url + PATH, json=job, headers=headers) as answer:
            assert answer.status == 201
        await until(lambda: bool(seen))
    assert not {TRACE, "b" * 32} & set(seen)


async def test_a_request_is_in_no_trace_of_the_one_before(settings: Make) -> None:
    given = settings(traces=True)
    app = an_app(given, seen := [])
    spans_of(app)
    async with running(given, app) as service, working(app):
        for headers in ({"traceparent": GOOD}, {}, {"traceparent": GOOD.replace("4bf9", "aaaa")}):
            await sent(service, **headers)
        await until(lambda: len(seen) == 3)
    assert len(set(seen)) == 3
    assert {TRACE, TRACE.replace("4bf9", "aaaa")} < set(seen)


async def test_without_the_setting_a_header_is_not_read(settings: Make) -> None:
    app = an_app(settings(), seen := [])
    exporter = spans_of(app)
    async with running(settings(), app) as service, working(app):
        await sent(service, traceparent=GOOD)
        await until(lambda: _span(exporter, SpanKind.CONSUMER))
    assert TRACE not in seen


def test_without_the_package_the_setting_says_what_to_install(
    settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "streamq.otel", None)
    monkeypatch.delattr("streamq.otel", raising=False)
    with pytest.raises(ConfigurationError, match=r"streamq\[otel\]"):
        switch_on(App(settings()), settings(traces=True))
    switch_on(App(settings()), settings())


def test_an_app_that_is_traced_already_stays_as_it_is(settings: Make) -> None:
    app: Any = App(settings(traces=True))
    spans_of(app)
    before = app.client.around_sends
    switch_on(app, settings(traces=True))
    assert app.client.around_sends is before


def test_the_app_of_the_messages_is_traced_by_the_setting(settings: Make) -> None:
    assert is_instrumented(messaging_app(settings(traces=True)))
    assert not is_instrumented(messaging_app(settings()))

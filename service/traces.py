"""Traces of the service: what a request sends is in the trace of who asked. Their package is an extra."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from aiohttp import web

from streamq import App, ConfigurationError

from .settings import ServiceSettings

if TYPE_CHECKING:
    from types import ModuleType


def switch_on(app: App, settings: ServiceSettings) -> None:
    """Trace what an app sends and runs, where the settings say so and it is not traced yet; before it is opened.

    Raises ``ConfigurationError`` where the extra is not installed.
    """
    if settings.traces and not (otel := _otel()).is_instrumented(app):
        otel.instrument(app)


def of_caller(request: web.Request) -> AbstractContextManager[None]:
    """What is sent within is in the trace that the request names; in one of its own where it names none, or several."""
    parents, states = (request.headers.getall(name, []) for name in ("traceparent", "tracestate"))
    parent = parents[0] if len(parents) == 1 else None
    within: AbstractContextManager[None] = _otel().following(parent, ",".join(states) or None)
    return within


def _otel() -> ModuleType:
    try:
        import streamq.otel as otel  # noqa: PLC0415, PLR0402  # an extra, which few install
    except ImportError:
        raise ConfigurationError(
            "STREAMQ_TRACES is on, and OpenTelemetry is not installed: use pip install 'streamq[otel]'"
        ) from None
    return otel

"""The page of the routes: what each takes, and what it may answer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

from streamq_service.api.changes import CancelRequest, ChangeRequest
from streamq_service.api.email import EmailRequest
from streamq_service.api.jobs import JobRequest, JobsQuery
from streamq_service.api.sms import SmsRequest
from streamq_service.app import ROUTES
from streamq_service.http.problems import OF_ANY_PATH
from streamq_service.http.route import AnyRoute

from .source import page, prose, table, tables


def http() -> str:
    """The routes, what they take and what they answer."""
    rows = [_route(route) for route in ROUTES]
    return page(
        "HTTP",
        "JSON in `snake_case` (the fields of a message keep the names their senders use); times are RFC 3339 in UTC. "
        "The paths stand below `STREAMQ_BASE_PATH`, by default "
        "none. Every answer has an `X-Request-Id`; errors carry it too. A running service shows all of this at "
        "`/api/docs`, without a network, with an example for each route; `/api/v1/openapi.json` is the same as "
        "OpenAPI 3.1, and `/api/v1` an index.",
        table(("Method", "Path", "Scope", "Does", "Answers"), rows),
        "`Prefer: wait=N` (a whole number of seconds, 1 to 60) on a route that makes a job waits for its end: 200 "
        "with the finished job, or 202 with the job as it is when the time is over. What is no such number is ignored, "
        "as RFC 7240 has it: without `Preference-Applied` nothing was waited for. `Idempotency-Key` on "
        "`POST /api/v1/queues/{queue}/jobs`, and on the routes of text messages and e-mail, makes the request safe to "
        "send again: [the first answer comes again](../how-to/unique.md#over-http-and-on-the-command-line) for 24 "
        "hours. Others that make something refuse it with 422; a reply of a model is made once for its `message_id`.",
        "## Keys and scopes",
        tables("service/http/auth.py"),
        "Send `Authorization: Bearer KEY`. What changes something says `Content-Type: application/json`, even without "
        "a body: a form of a web page cannot. `GET /ready` tells more than its status only to a key with `read`.",
        "Without `STREAMQ_API_KEYS` the API listens on loopback only, and answers only this machine; `/health` and "
        "`/ready` are answered to all. [Security](../security.md) has the whole model.",
        tables("service/http/local.py"),
        *_bodies(),
        "## Live counts",
        tables("service/api/events.py"),
        "## Errors",
        "Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `code`, `detail` and "
        "`request_id`; more members are named where they come. What an outage says of its server is in the log, with "
        "the request's id; a caller is told its kind alone.",
        table(("Status", "Code", "It means that"), _problems()),
    )


def _route(route: AnyRoute) -> tuple[str, str, str, str, str]:
    scope = route.scope.name.lower() if route.scope else "open"
    answers = " ".join(str(answer.status) for answer in route.answers)
    return route.method, f"`{route.path}`", scope, route.summary, answers


def _problems() -> list[tuple[str, str, str]]:
    """Every problem that a route or a path may answer."""
    kinds = {kind for route in ROUTES for kind in (*route.all_problems, *OF_ANY_PATH)}
    return [(str(kind.status), f"`{kind.code}`", kind.meaning) for kind in sorted(kinds)]


def _bodies() -> Iterator[str]:
    for title, model in (
        ("A text message", SmsRequest),
        ("An e-mail", EmailRequest),
        ("A job", JobRequest),
        ("A cancellation", CancelRequest),
        ("A change of a job", ChangeRequest),
        ("The query of a list of jobs", JobsQuery),
    ):
        schema = model.model_json_schema()
        required = schema.get("required", ())
        rows = [
            (f"`{name}`", "yes" if name in required else "", _kind(field, schema.get("$defs", {})))
            for name, field in schema["properties"].items()
        ]
        yield f"## {title}"
        yield prose(inspect.getdoc(model) or "")
        yield table(("Field", "Required", "Type"), rows)


JSON_TYPES: Final = {
    "string": "string", "integer": "whole number", "number": "number", "object": "object", "boolean": "true or false",
}  # fmt: skip


def _kind(field: dict[str, Any], kinds: dict[str, Any]) -> str:
    """A field's type in words: those of its schema, or what its bounds say."""
    field = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
    field = kinds[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f'`"{field["const"]}"`'
    if "type" not in field:
        return "any JSON value"
    if "description" in field:
        return str(field["description"])
    low, high = (field.get(f"{end}imum", field.get(f"{end}Length")) for end in ("min", "max"))
    bounds = f"{low} to {high}" if low is not None else f"at most {high}" if high is not None else ""
    if field["type"] == "string":
        return f"string of {bounds} characters" if bounds else "string"
    return JSON_TYPES[field["type"]] + (f", {bounds}" if bounds else "")

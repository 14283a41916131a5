"""The table of routes: what it declares is what is served, and enough to describe all of it."""

from __future__ import annotations

import re
import typing
from typing import Any

import pytest
from pydantic import TypeAdapter
from streamq_service.app import ROUTES, build_app
from streamq_service.http.problems import OF_ANY_PATH
from streamq_service.http.route import AnyRoute
from streamq_service.messaging import messaging_app
from streamq_service.sandbox.provider import ROUTES as OF_SANDBOX
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .conftest import Service

WITH_BODY = [route for route in ROUTES if route.body is not None]
WITH_QUERY = [route for route in ROUTES if route.query is not None]


def named(route: AnyRoute) -> str:
    return f"{route.method} {route.path}"


def where(route: AnyRoute) -> str:
    return re.sub(r"\{\w+\}", "x", route.path.replace("{queue}", "send-sms-queue").replace("{id}", "1-0"))


async def test_what_is_served_is_what_the_table_declares() -> None:
    settings = ServiceSettings()
    application = build_app(messaging_app(settings), settings)
    served = {
        (route.method, route.resource.canonical) for route in application.router.routes() if route.resource
    }
    heads = {("HEAD", r.path) for r in ROUTES if r.method == "GET" and not r.is_stream}
    options = {("OPTIONS", r.path) for r in ROUTES}
    assert served == {(r.method, r.path) for r in ROUTES} | heads | options


@pytest.mark.parametrize("route", [*ROUTES, *OF_SANDBOX], ids=named)
def test_a_route_says_what_it_takes_and_its_handler_takes_that(route: AnyRoute) -> None:
    assert route.summary
    assert route.answers[0].status < 300
    asked = typing.get_type_hints(route.handler)[
        "asked" if "asked" in route.handler.__annotations__ else "_asked"
    ]
    for taken, declared in zip(typing.get_args(asked), (route.query, route.body), strict=True):
        assert taken is type(None) if declared is None else issubclass(declared, taken)
    shared = [set(model.model_fields) if model else set() for model in (route.query, route.body)]
    assert not set.intersection(*shared), "a pointer must lead to one field"


def test_a_code_has_one_meaning_and_a_problem_is_declared_once() -> None:
    kinds = {kind for route in ROUTES for kind in (*route.all_problems, *OF_ANY_PATH)}
    assert len({(kind.status, kind.code) for kind in kinds}) == len(kinds)
    assert all(kind.meaning for kind in kinds)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("route", [*WITH_BODY, *WITH_QUERY], ids=named)
async def test_wrong_input_of_each_kind_is_a_problem_that_tells_all_wrong_fields(
    service: Service, route: AnyRoute
) -> None:
    model = route.body or route.query
    required = [f.alias or name for name, f in model.model_fields.items() if f.is_required()]
    names = {"/nonsense", "/and~1or", *(f"/{name}" for name in required)}
    if route.query is not None:
        asked = f"{where(route)}?nonsense=1&and/or=2"
        status, headers, problem = await service.send(route.method, asked)
    else:
        kinds = {
            b"{": (400, "malformed-json"),
            b"[]": (422, "validation"),
            b" " * (300_000 * route.bodies): (413, "body-too-large"),
        }
        for body, expected in kinds.items():
            status, _, problem = await service.send(route.method, where(route), body)
            assert (status, problem["code"]) == expected
        status, _, problem = await service.send(route.method, where(route), b"{}", Content_Type="text/plain")
        assert (status, problem["code"]) == (415, "unsupported-media-type")
        status, headers, problem = await service.send(
            route.method, where(route), {"nonsense": 1, "and/or": 2}
        )
    assert (status, headers["Content-Type"]) == (422, "application/problem+json")
    assert {error["pointer"] for error in problem["errors"]} >= names
    assert await service.jobs() == 0


def document() -> dict[str, Any]:
    """The paths of an OpenAPI document, from the table alone."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        query = route.query.model_json_schema() if route.query else {"properties": {}}
        asked = [{"name": name, "in": "path", "required": True} for name in route.parameters]
        asked += [
            {"name": name, "in": "query", "schema": schema} for name, schema in query["properties"].items()
        ]
        body = route.body.model_json_schema() if route.body else None
        answers = {
            str(a.status): {
                "description": a.meaning,
                "content": {a.media: a.body and TypeAdapter(a.body).json_schema()},
            }
            for a in route.answers
        }
        answers |= {str(kind.status): {"description": kind.meaning} for kind in route.all_problems}
        paths.setdefault(route.path, {})[route.method.lower()] = {
            "summary": route.summary, "parameters": asked, "requestBody": body, "responses": answers,
            "security": [] if route.scope is None else [{"key": [route.scope.name.lower()]}],
        }  # fmt: skip
    return paths


def test_the_table_is_enough_for_an_openapi_document() -> None:
    paths = document()
    create = paths["/api/v1/queues/{queue}/jobs"]["post"]
    fields = create["requestBody"]["properties"]
    assert create["requestBody"]["required"] == ["task"]
    assert fields["delay"]["type"] == ["number", "string", "null"]
    assert (fields["at"]["format"], fields["attempts"]["anyOf"][0]["maximum"]) == ("date-time", 1_000_000)
    assert create["responses"].keys() >= {"200", "201", "202", "400", "404", "413", "415", "422", "503"}
    assert "created_at" in create["responses"]["201"]["content"]["application/json"]["properties"]
    listed = paths["/api/v1/queues/{queue}/jobs"]["get"]
    assert [one["name"] for one in listed["parameters"]] == [
        "queue",
        "state",
        "task",
        "group",
        "q",
        "limit",
        "cursor",
    ]
    assert all(re.findall(r"\{(\w+)\}", path) == [p["name"] for p in method["parameters"] if p["in"] == "path"]
               for path, methods in paths.items() for method in methods.values())  # fmt: skip


@ON_ONE_SERVER
async def test_options_tells_the_methods_of_a_path(service: Service) -> None:
    for path, methods in {
        "/api/v1/queues/x/jobs": "GET, HEAD, OPTIONS, POST",
        "/api/v1/queues/x/jobs/bulk": "OPTIONS, POST",
        "/api/v1/events": "GET, OPTIONS",
        "/health": "GET, HEAD, OPTIONS",
    }.items():
        async with service.http.options(service.url + path) as response:
            assert (response.status, response.headers["Allow"]) == (204, methods)
            assert await response.read() == b""

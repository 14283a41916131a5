"""The document of the API: valid, whole, and made of the declarations alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from openapi_spec_validator import validate
from streamq_service.api.index import TAGS, tag_of
from streamq_service.app import ROUTES
from streamq_service.http.openapi import Description, operation_id

from ..rig import ON_ONE_SERVER
from .conftest import Service

Start = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return Description(ROUTES, TAGS, tag_of, version="1", base_path="", has_keys=lambda: True).document()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": told
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    }


def test_it_is_a_valid_document_of_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_it_has_every_route_and_no_other(document: dict[str, Any]) -> None:
    assert set(operations(document)) == {f"{r.method} {r.path}" for r in ROUTES}


def test_an_operation_has_a_name_of_its_own_that_follows_from_its_path(document: dict[str, Any]) -> None:
    names = [told["operationId"] for told in operations(document).values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"(get|post|put|patch|delete)_[a-z_]+", name) for name in names)
    assert operation_id("GET", "/api/v1/queues/{queue}/jobs/{id}/logs") == "get_queue_job_logs"
    assert operation_id("POST", "/api/v1/webhooks/sms/{provider}") == "post_webhooks_sms_of_provider"


def test_a_route_stands_under_a_resource_that_is_described(document: dict[str, Any]) -> None:
    tags = {told["tags"][0] for told in operations(document).values()}
    assert tags == {tag["name"] for tag in document["tags"]}
    assert operations(document)["GET /api/v1/queues/{queue}/jobs/{id}/why"]["tags"] == ["jobs"]


def test_a_name_of_a_schema_is_that_of_one_type(document: dict[str, Any]) -> None:
    assert not [name for name in document["components"]["schemas"] if "__" in name]


def test_a_route_tells_its_parameters_headers_body_and_who_may_ask(document: dict[str, Any]) -> None:
    create = operations(document)["POST /api/v1/queues/{queue}/jobs"]
    assert [(one["in"], one["name"]) for one in create["parameters"]] == [
        ("path", "queue"), ("header", "Prefer"), ("header", "Idempotency-Key"),
    ]  # fmt: skip
    assert create["requestBody"]["required"]
    assert create["security"] == [{"key": ["write"]}]
    assert "scope `write`" in create["description"]
    change = operations(document)["PATCH /api/v1/queues/{queue}/jobs/{id}"]
    assert "If-Match" in [one["name"] for one in change["parameters"]]
    watch = operations(document)["GET /api/v1/events"]
    assert [one["name"] for one in watch["parameters"]] == ["Last-Event-ID"]
    listed = operations(document)["GET /api/v1/queues/{queue}/jobs"]
    limit = next(one for one in listed["parameters"] if one["name"] == "limit")
    assert limit["schema"] == {"default": 50, "maximum": 200, "minimum": 1, "type": "integer"}
    assert operations(document)["GET /health"]["security"] == []


def test_an_answer_tells_its_schema_and_its_headers_and_a_problem_its_codes(document: dict[str, Any]) -> None:
    create = operations(document)["POST /api/v1/queues/{queue}/jobs"]["responses"]
    assert create["201"]["headers"].keys() == {"X-Request-Id", "Location", "RateLimit", "RateLimit-Policy"}
    schema = create["201"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/SentDocument"}
    missing = document["components"]["responses"][create["404"]["$ref"].rpartition("/")[2]]
    problem = missing["content"]["application/problem+json"]["schema"]["allOf"]
    assert problem[0] == {"$ref": "#/components/schemas/Problem"}
    assert problem[1]["properties"]["code"]["enum"] == ["queue-not-found"]
    assert "neither a task nor the server knows the queue" in missing["description"]


@ON_ONE_SERVER
async def test_it_is_served_once_made_and_again_only_when_it_has_changed(service: Service) -> None:
    status, headers, document = await service.get("/api/v1/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    async with service.http.get(
        service.url + "/api/v1/openapi.json", headers={"If-None-Match": headers["ETag"]}
    ) as again:
        assert (again.status, await again.read()) == (304, b"")


@ON_ONE_SERVER
async def test_below_a_path_it_names_that_path_as_its_server(
    start: Start, settings: Callable[..., Any]
) -> None:
    async with start(settings(base_path="/jobs")) as service:
        _, _, document = await service.get("/jobs/api/v1/openapi.json")
        assert document["servers"] == [{"url": "/jobs"}]
        _, _, index = await service.get("/jobs/api/v1")
        assert index["links"]["queues"]["href"] == "/jobs/api/v1/queues"


@ON_ONE_SERVER
async def test_without_keys_it_says_that_none_is_needed(service: Service) -> None:
    _, _, document = await service.get("/api/v1/openapi.json")
    assert document["paths"]["/api/v1/queues"]["get"]["security"] == [{"key": ["read"]}, {}]


@ON_ONE_SERVER
async def test_the_index_leads_to_all_that_can_be_looked_at(service: Service) -> None:
    status, _, index = await service.get("/api/v1")
    assert (status, index["name"]) == (200, "streamq")
    assert {"queues", "workers", "schedules", "operations", "stats", "docs", "openapi_json"} <= set(
        index["links"]
    )
    assert all(link["title"] for link in index["links"].values())
    for name in ("queues", "workers", "docs"):
        async with service.http.get(service.url + index["links"][name]["href"]) as response:
            assert response.status == 200

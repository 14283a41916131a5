"""Who may do what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from streamq_service.app import ROUTES
from streamq_service.auth import Keys, Scope, check_binding, is_loopback
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
KEYS = "reader=read,writer=read+write,boss=admin,plain"
HAVE = {"reader": Scope.READ, "writer": Scope.WRITE, "boss": Scope.ADMIN, "plain": Scope.ADMIN}


async def asked(service: Service, method: str, path: str, **headers: str) -> int:
    where = path.replace("{queue}", "send-sms-queue").replace("{id}", "1-0").replace("{file}", "app.js")
    async with service.http.request(method, service.url + where, headers=headers) as response:
        return response.status


async def test_every_route_asks_for_its_scope(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        for method, path, _, needed in ROUTES:
            for key, have in HAVE.items():
                status = await asked(service, method, path, Authorization=f"Bearer {key}")
                assert (status == 403) is (needed is not None and have < needed), (method, path, key)
            for header in ("", "Bearer", "Bearer nobody", "Basic reader", "reader"):
                status = await asked(service, method, path, Authorization=header)
                assert (status == 401) is (needed is not None), (method, path, header)


async def test_what_is_open_tells_nothing_of_jobs() -> None:
    assert {route.path for route in ROUTES if route.scope is None} == {
        "/",
        "/static/{file}",
        "/health",
        "/ready",
    }
    assert all(route.scope is None or route.scope >= Scope.WRITE for route in ROUTES if route.method != "GET")


async def test_a_refusal_says_what_is_needed(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        status, headers, problem = await service.get("/api/v1/queues")
        assert (status, headers["WWW-Authenticate"], problem["code"]) == (401, "Bearer", "unauthorized")
        _, _, problem = await service.post("/api/schedule-sms", {}, Authorization="Bearer reader")
        assert (problem["needed"], problem["have"]) == ("write", "read")
        assert "reader" not in str(problem).replace("have", "")


async def test_the_kind_of_credentials_is_read_in_any_case(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(api_keys="reader=read")) as service:
        for kind, status in (("Bearer", 200), ("bearer", 200), ("BEARER", 200), ("Basic", 401)):
            assert await asked(service, "GET", "/api/v1/queues", Authorization=f"{kind} reader") == status


def test_without_keys_only_loopback_is_bound() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        check_binding(Keys({}), host)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com", ""):  # noqa: S104 - refused
        with pytest.raises(ConfigurationError, match="without API keys"):
            check_binding(Keys({}), host)
        check_binding(Keys.parse("secret"), host)


async def test_without_keys_a_foreign_page_cannot_reach_the_api(service: Service) -> None:
    assert await asked(service, "GET", "/api/v1/queues", Host="evil.example.com") == 403
    assert await asked(service, "POST", "/api/schedule-sms", **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await asked(service, "GET", "/api/v1/queues", **{"Sec-Fetch-Site": "same-origin"}) == 200


def test_keys_that_cannot_be_read_are_refused_and_not_shown() -> None:
    for text in ("topsecret=owner", "topsecret=read+", "=read"):
        with pytest.raises(ConfigurationError, match="key number 1") as refused:
            Keys.parse(text)
        assert "topsecret" not in str(refused.value)


def test_a_key_of_any_characters_is_compared_without_an_error() -> None:
    keys = Keys.parse("schlüssel=read")
    assert keys.scope("schlüssel") is Scope.READ
    assert keys.scope("\udcff") is None
    assert not Keys.parse(" , ")


def test_a_name_that_only_looks_local_is_not() -> None:
    for name in ("localhost.example.com", "evillocalhost", "127.0.0.1.example.com", "128.0.0.1", "0"):
        assert not is_loopback(name)
    assert is_loopback("jobs.localhost")

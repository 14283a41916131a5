"""A proxy that people log in at says who asks; nobody else is believed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]
Make = Callable[..., ServiceSettings]
Start = Callable[..., AbstractAsyncContextManager[Service]]
HERE = "127.0.0.1,::1"
ALICE = {"X-Forwarded-User": "alice@example.com"}


async def test_who_is_named_by_a_trusted_proxy_may_do_what_its_scope_says(
    settings: Make, start: Start
) -> None:
    given = settings(trusted_proxy_addresses=HERE, trusted_proxy_scope="admin")
    async with start(given) as service:
        _, _, me = await service.get("/api/v1/me", **ALICE)
        assert (me["scope"], me["actor"]) == ("admin", "proxy:alice@example.com")
        path = "/api/v1/queues/send-sms-queue/pause"
        assert (await service.post(path, {"reason": "tea"}, **ALICE))[0] == 200
        _, _, trail = await service.get("/api/v1/audit", **ALICE)
        assert (trail["data"][0]["actor"], trail["data"][0]["action"]) == (
            "proxy:alice@example.com",
            "queue.pause",
        )


async def test_a_scope_below_what_is_needed_is_refused(settings: Make, start: Start) -> None:
    async with start(settings(trusted_proxy_addresses=HERE)) as service:
        assert (await service.get("/api/v1/queues", **ALICE))[0] == 200
        status, _, problem = await service.post("/api/v1/queues/send-sms-queue/pause", {}, **ALICE)
        assert (status, problem["code"]) == (403, "insufficient-scope")


@pytest.mark.parametrize(
    "sent", [{}, {"X-Forwarded-User": ""}, {"X-Forwarded-User": " "}, {"X-Other-User": "alice"},
             {"X-Forwarded-User": "a" * 195}, {**ALICE, "Authorization": "Bearer wrong"}],
)  # fmt: skip
async def test_nothing_is_open_to_whom_the_proxy_does_not_name(
    settings: Make, start: Start, sent: Any
) -> None:
    async with start(settings(trusted_proxy_addresses=HERE)) as service:
        assert (await service.get("/api/v1/queues", **sent))[0] == 401


async def test_a_name_that_comes_from_another_address_is_not_believed(settings: Make, start: Start) -> None:
    async with start(settings(trusted_proxy_addresses="10.0.0.0/8,2001:db8::1")) as service:
        assert (await service.get("/api/v1/queues", **ALICE))[0] == 401


async def test_two_names_are_none(settings: Make, start: Start) -> None:
    async with start(settings(trusted_proxy_addresses=HERE)) as service:
        both = [("X-Forwarded-User", "alice"), ("X-Forwarded-User", "bob")]
        async with service.http.get(service.url + "/api/v1/queues", headers=both) as answer:
            assert answer.status == 401


GROUPS = "ops:admin, dev:write, role:viewer:read"


@pytest.mark.parametrize(
    ("sent", "everybody", "scope"),
    [
        ("ops", "", "admin"), ("dev", "", "write"), ("role:viewer", "", "read"), ("staff,dev , ops", "", "admin"),
        ("dev|role:viewer", "", "write"), ("staff", "", None), ("", "", None), (None, "", None),
        ("*", "", None), ("OPS", "", None), ("staff", ",*:read", "read"), (None, ",*:read", "read"),
        ("dev", ",*:read", "write"), ("role:viewer", ",*:write", "read"), ("ops:admin", ",*:read", "read"),
    ],
)  # fmt: skip
async def test_what_somebody_may_do_goes_by_the_groups_that_the_proxy_names(
    settings: Make, start: Start, sent: str | None, everybody: str, scope: str | None
) -> None:
    given = settings(
        trusted_proxy_addresses=HERE, trusted_proxy_scope="admin", trusted_proxy_groups=GROUPS + everybody
    )
    headers = ALICE if sent is None else {**ALICE, "X-Forwarded-Groups": sent}
    async with start(given) as service:
        status, _, me = await service.get("/api/v1/me", **headers)
        assert (status, me.get("scope")) == ((200, scope) if scope else (401, None))


async def test_groups_that_are_forged_count_for_nothing(settings: Make, start: Start) -> None:
    elsewhere = settings(trusted_proxy_addresses="10.0.0.0/8", trusted_proxy_groups="*:admin,ops:admin")
    async with start(elsewhere) as service:
        assert (await service.get("/api/v1/queues", **{**ALICE, "X-Forwarded-Groups": "ops"}))[0] == 401
    here = settings(trusted_proxy_addresses=HERE, trusted_proxy_groups="ops:admin,*:read")
    async with start(here) as service:
        both = [*ALICE.items(), ("X-Forwarded-Groups", "ops"), ("X-Forwarded-Groups", "staff")]
        async with service.http.get(service.url + "/api/v1/me", headers=both) as answer:
            assert (await answer.json())["scope"] == "read", "one of the two may be the caller's own"
        assert (await service.get("/api/v1/queues", **{"X-Forwarded-Groups": "ops"}))[0] == 401, (
            "nobody is named"
        )


async def test_without_groups_in_the_settings_a_header_of_groups_is_not_read(
    settings: Make, start: Start
) -> None:
    async with start(settings(trusted_proxy_addresses=HERE)) as service:
        _, _, me = await service.get("/api/v1/me", **{**ALICE, "X-Forwarded-Groups": "ops"})
        assert me["scope"] == "read"


async def test_the_header_of_the_groups_has_the_name_that_the_settings_say(
    settings: Make, start: Start
) -> None:
    given = settings(
        trusted_proxy_addresses=HERE, trusted_proxy_groups="ops:admin", trusted_proxy_groups_header="X-Roles"
    )
    async with start(given) as service:
        assert (await service.get("/api/v1/me", **{**ALICE, "X-Roles": "ops"}))[2]["scope"] == "admin"
        assert (await service.get("/api/v1/me", **{**ALICE, "X-Forwarded-Groups": "ops"}))[0] == 401


async def test_another_web_page_changes_nothing_in_the_name_of_who_is_logged_in(
    settings: Make, start: Start
) -> None:
    async with start(settings(trusted_proxy_addresses=HERE, trusted_proxy_scope="admin")) as service:
        path = "/api/v1/queues/send-sms-queue/pause"
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
            assert (await service.post(path, {}, **ALICE, Sec_Fetch_Site=site))[0] == status


@pytest.mark.parametrize(
    "given", [{"cors_origins": "app.example.com"}, {"cors_origins": "https://app.example.com/x"},
              {"trusted_proxy_addresses": "proxy"}, {"trusted_proxy_header": "Authorization"},
              {"trusted_proxy_header": "no header"}, {"trusted_proxy_groups_header": "Cookie"},
              *({"trusted_proxy_addresses": HERE, "trusted_proxy_groups": wrong} for wrong in
                ("ops", "ops:root", ":read", "a:read,a:admin", "a:read, a :read", "*:read,*:read"))],
)  # fmt: skip
def test_what_can_be_no_origin_address_or_header_is_said(settings: Make, given: Any) -> None:
    with pytest.raises(ConfigurationError):
        settings(**given)


@pytest.mark.parametrize("given", [{"trusted_proxy_groups": "ops:admin"}, {"trusted_proxy_scope": "admin"}])
def test_what_does_nothing_without_a_proxy_is_refused(settings: Make, given: Any) -> None:
    with pytest.raises(ConfigurationError, match="does nothing without trusted_proxy_addresses"):
        settings(**given)


@pytest.mark.parametrize(
    "everybody", ["0.0.0.0/0", "::/0", "10.0.0.7,0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "8000::/1"]
)
def test_not_everybody_may_be_a_proxy(settings: Make, everybody: str) -> None:
    with pytest.raises(ConfigurationError, match="nearly everybody"):
        settings(trusted_proxy_addresses=everybody)


OTHER = ["basic QWxhZGRpbjo=", "Basic QWxhZGRpbjo=", "Negotiate YII=", "Digest x", "Basic", ""]
"""Credentials that a proxy looks at, and may pass on."""


@pytest.mark.parametrize("sent", OTHER)
async def test_credentials_of_another_kind_are_the_proxys_and_open_nothing_by_themselves(
    settings: Make, start: Start, sent: str
) -> None:
    async with start(settings(trusted_proxy_addresses=HERE)) as service:
        assert (await service.get("/api/v1/queues", **ALICE, Authorization=sent))[0] == 200
        assert (await service.get("/api/v1/queues", Authorization=sent))[0] == 401
    async with start(settings(trusted_proxy_addresses="10.0.0.0/8")) as service:
        assert (await service.get("/api/v1/queues", **ALICE, Authorization=sent))[0] == 401


async def test_a_key_counts_before_the_name_wherever_it_stands(settings: Make, start: Start) -> None:
    given = settings(trusted_proxy_addresses=HERE, trusted_proxy_scope="admin", api_keys="k" * 20 + "=read")
    async with start(given) as service:
        for key, scope in (("k" * 20, "read"), ("wrong" * 5, None), ("", None)):
            both = [*ALICE.items(), ("Authorization", "Basic x"), ("Authorization", f"bearer {key}")]
            async with service.http.get(service.url + "/api/v1/me", headers=both) as answer:
                assert (answer.status, (await answer.json()).get("scope")) == (
                    (200, scope) if scope else (401, None)
                )


@pytest.mark.parametrize(
    "name", ["anonymous", "key root (540d5a2e)", "key-540d5a2e", "proxy:ada", "ada", "a" * 194]
)
async def test_nobody_whom_a_proxy_names_is_taken_for_a_key_or_for_nobody(
    settings: Make, start: Start, name: str
) -> None:
    async with start(settings(trusted_proxy_addresses=HERE, trusted_proxy_scope="admin")) as service:
        sent = {"X-Forwarded-User": name}
        assert (await service.post("/api/v1/queues/send-sms-queue/pause", {}, **sent))[0] == 200
        assert (await service.engine.audit()).items[0].actor == f"proxy:{name}"
        assert (await service.get("/api/v1/me", **sent))[2]["actor"] == f"proxy:{name}"


PUBLIC = {"X-Forwarded-Host": "jobs.example.com"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Origin": "http://other.example.com"}, 403), ({"Origin": "null"}, 403), ({"Origin": ""}, 403),
        ({"Origin": "http://[bad"}, 403), ({"Origin": "https://public.example.com"}, 200),
        ({"Origin": "https://public.example.com.other.example.com"}, 403), ({}, 200),
        ({"Origin": "http://jobs.example.com"}, 403), ({"Origin": "http://jobs.example.com", **PUBLIC}, 200),
        ({"Origin": "http://jobs.example.com:81", **PUBLIC}, 403),
        ({"Origin": "http://other.example.com", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://public.example.com", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_changes_nothing_also_where_its_browser_tells_nothing_else(
    settings: Make, start: Start, sent: dict[str, str], status: int
) -> None:
    given = settings(
        trusted_proxy_addresses=HERE, trusted_proxy_scope="admin", public_url="https://public.example.com"
    )
    async with start(given) as service:
        path = service.url + "/api/v1/queues/send-sms-queue/resume"
        async with service.http.post(path, json={}, headers={**ALICE, **sent}) as answer:
            assert answer.status == status
        own = {**ALICE, "Origin": service.url}
        async with service.http.post(path, json={}, headers=own) as answer:
            assert answer.status == 200

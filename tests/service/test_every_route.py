"""What holds for every route: HEAD, packed answers, what a key's rate is told by, and pages of others."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.app import ROUTES
from streamq_service.http import made_keys
from streamq_service.http.auth import Scope
from streamq_service.http.made_keys import MadeKeys
from streamq_service.http.problems import BAD_IF_MATCH
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]
Make = Callable[..., ServiceSettings]
Start = Callable[..., AbstractAsyncContextManager[Service]]

LOOKS = sorted({re.sub(r"\{\w+\}", "x", r.path) for r in ROUTES if r.method == "GET" and not r.is_stream})
EVERY = sorted({(r.method, re.sub(r"\{\w+\}", "x", r.path), r.is_stream) for r in ROUTES})
PAGE = "https://app.example.com"
ADMIN = {"Authorization": "Bearer secret-of-the-jobs"}


@pytest.fixture
async def open_to_pages(settings: Make, start: Start) -> AsyncIterator[Service]:
    """A service that pages of one origin may call."""
    async with start(settings(api_keys="secret-of-the-jobs=admin", cors_origins=PAGE)) as service:
        yield service


async def headers_of(service: Service, method: str, path: str, **headers: str) -> tuple[int, Any]:
    sent = {"Content-Type": "application/json", **headers}
    async with service.http.request(
        method, service.url + path, headers=sent, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers


async def test_head_of_every_look_is_its_answer_without_a_body(service: Service) -> None:
    for path in LOOKS:
        async with service.http.get(service.url + path, allow_redirects=False) as whole:
            await whole.read()
        async with service.http.head(service.url + path, allow_redirects=False) as head:
            assert await head.read() == b""
            assert (head.status, head.content_type) == (whole.status, whole.content_type), path
            assert head.headers.keys() ^ whole.headers.keys() <= {
                "Content-Length",
                "Content-Encoding",
                "Vary",
            }, path


async def test_every_answer_says_that_a_page_of_a_named_origin_may_read_it(open_to_pages: Service) -> None:
    for method, path, is_stream in EVERY:
        for key in ({}, ADMIN):
            if is_stream and key:
                continue
            status, headers = await headers_of(open_to_pages, method, path, Origin=PAGE, **key)
            assert headers["Access-Control-Allow-Origin"] == PAGE, (method, path, status)
            assert "Origin" in headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in headers


async def test_a_page_of_another_origin_may_read_no_answer(open_to_pages: Service) -> None:
    for other in (
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
        "https://other.example",
    ):
        for method, path, is_stream in EVERY:
            if not is_stream:
                _, headers = await headers_of(open_to_pages, method, path, Origin=other, **ADMIN)
                assert not [name for name in headers if name.startswith("Access-Control")], (method, path)


async def test_a_browser_that_asks_before_is_told_what_may_be_sent(open_to_pages: Service) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    for path in sorted({path for _, path, _ in EVERY}):
        status, headers = await headers_of(open_to_pages, "OPTIONS", path, **asks)
        assert status == 204, path
        assert "POST" in headers["Access-Control-Allow-Methods"]
        assert "Authorization" in headers["Access-Control-Allow-Headers"]


async def test_every_answer_to_a_key_with_a_rate_says_what_is_left_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_keys, "LOOK", 0.05)
    _, text = await MadeKeys(service.engine).create(Scope.ADMIN, rate=f"{len(EVERY)}/1h")
    key = {"Authorization": f"Bearer {text}"}
    await until(lambda: _is_known(service, key))
    left = len(EVERY) - 1
    for method, path, is_stream in EVERY:
        route = next(r for r in ROUTES if r.method == method and re.sub(r"\{\w+\}", "x", r.path) == path)
        if route.scope is None or is_stream:
            continue
        status, headers = await headers_of(service, method, path, **key)
        assert headers["RateLimit-Policy"] == f'"key";q={len(EVERY)};w=3600', (method, path, status)
        left -= 1
        told = re.fullmatch(r'"key";r=(\d+);t=(\d+)', headers["RateLimit"])
        assert told is not None
        assert int(told[1]) == left, (method, path)
    while left >= 0:
        status, headers = await headers_of(service, "GET", "/api/v1/queues", **key)
        left -= 1
    assert (status, int(headers["Retry-After"]) > 0) == (429, True)
    assert headers["RateLimit"].startswith('"key";r=0;')


async def _is_known(service: Service, key: dict[str, str]) -> bool:
    if (await headers_of(service, "GET", "/api/v1/me"))[0] != 401:
        return False
    return (await headers_of(service, "GET", "/api/v1/me", **key))[0] == 200


async def test_long_answers_are_packed_for_whoever_takes_that_and_for_nobody_else(service: Service) -> None:
    for path in LOOKS:
        plain = await _raw(service, path, "identity")
        for takes in ("gzip", "br, gzip;q=0.5", "*"):
            said = await _raw(service, path, takes)
            assert (said[0] == "gzip") is (len(plain[1]) >= 2_048 and not path.startswith("/metrics")), path
            if path != "/api/v1" and said[0] == "gzip":
                assert len(said[1]) == len(plain[1]), "the client has unpacked it"
        assert (await _raw(service, path, "gzip;q=0"))[0] == ""
        assert plain[0] == ""


async def _raw(service: Service, path: str, takes: str) -> tuple[str, bytes]:
    asked = {"Accept-Encoding": takes}
    async with service.http.get(service.url + path, headers=asked, allow_redirects=False) as answer:
        return answer.headers.get("Content-Encoding", ""), await answer.read()


async def test_a_body_that_is_packed_wrongly_is_refused_by_every_route_that_takes_one(
    service: Service,
) -> None:
    whole = gzip.compress(b'{"x": "' + b"x" * 1_000 + b'"}')
    for route in [route for route in ROUTES if route.body is not None]:
        path = re.sub(r"\{\w+\}", "x", route.path)
        for sent, packing, expected in (
            (whole[:-10], "gzip", (400, "malformed-encoding")),
            (b"{}", "gzip", (400, "malformed-encoding")),
            (whole, "br", (415, "unsupported-content-encoding")),
            (gzip.compress(bytes(64_000_000)), "gzip", (413, "body-too-large")),
        ):
            if route.bodies > 1 and expected[0] == 413:
                continue  # it takes so much
            status, _, problem = await service.send(route.method, path, sent, Content_Encoding=packing)
            assert (status, problem["code"]) == expected, (route.method, path)


async def test_a_tag_is_understood_by_every_route_that_tells_one(service: Service) -> None:
    for route in ROUTES:
        tells = any("ETag" in answer.headers for answer in route.answers)
        if route.method == "GET":
            assert tells == any(answer.status == 304 for answer in route.answers), route.path
        path = re.sub(r"\{\w+\}", "x", route.path)
        if BAD_IF_MATCH in route.problems:
            status, _, problem = await service.send(route.method, path, {}, If_Match="not a tag")
            assert (status, problem["code"]) in (
                (400, "bad-if-match"),
                (422, "validation"),
            ) or status == 404, path
        if any(answer.status == 304 for answer in route.answers) and "{" not in route.path:
            _, headers = await headers_of(service, "GET", path)
            for known in (
                headers["ETag"],
                headers["ETag"].removeprefix("W/"),
                "*",
                f'"other", {headers["ETag"]}',
            ):
                status, again = await headers_of(service, "GET", path, **{"If-None-Match": known})
                assert (status, again.get("Content-Encoding")) == (304, None), path

"""Without keys only this machine is answered: its programs, and our own page in its browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from streamq_service.app import ROUTES, build_app
from streamq_service.http.serve import address, bind, serving
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings
from yarl import URL

from ..docs.markdown import blocks
from ..house.source import ROOT
from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Start = Callable[..., AbstractAsyncContextManager[Service]]
Make = Callable[..., ServiceSettings]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
OPEN = {
    "/health": (200, ""), "/ready": (200, ""), "/api/v1/webhooks/sms": (404, "no-provider"),
    "/api/v1/webhooks/sms/{provider}": (404, "no-provider"), "/unsubscribe/{token}": (404, "not-found"),
}  # fmt: skip
"""What everybody may ask for, and what is answered: the probes, and what a signature lets in."""
PROBES = {"/health", "/ready"}
ADDED_BY_PROXIES = [
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto", "X-Forwarded", "X-FORWARDED-ANYTHING",
    "X-Real-IP", "Via", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Original-URL",
]  # fmt: skip
EVERY_PATH = [*{(route.method, route.path) for route in ROUTES}, ("GET", "/nothing"), ("DELETE", "/ready/x")]


async def asked(service: Service, method: str, path: str, **headers: str) -> tuple[int, str]:
    where = (
        path.replace("{queue}", "send-sms-queue")
        .replace("{id}", "1-0")
        .replace("{operation}", "send-sms-queue.1")
        .replace("{provider}", "twilio")
        .replace("{token}", "t.t")
        .replace("{file}", "app.js")
        .replace("{group}", "66338")
        .replace("{name}", "x")
    )
    async with service.http.request(method, service.url + where, headers=headers) as response:
        document = await response.json(content_type=None) if response.status >= 400 else {}
        return response.status, document.get("code", "")


async def raw(service: Service, request: str) -> tuple[int, str]:
    """The status and the whole answer to a request as it is written here."""
    url = URL(service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.replace("\n", "\r\n").replace("PORT", str(url.port)).encode())
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(" ", 2)[1]), answer


async def test_what_a_proxy_passed_on_is_refused_at_every_path_but_probes_and_what_is_signed(
    service: Service,
) -> None:
    for name in ADDED_BY_PROXIES:
        assert await asked(service, "GET", "/api/v1/queues", **{name: "203.0.113.9"}) == (403, "proxied"), (
            name
        )
    for method, path in EVERY_PATH:
        expected = OPEN.get(path, (403, "proxied"))
        assert await asked(service, method, path, **{"X-Forwarded-For": "127.0.0.1"}) == expected, path
    _, _, problem = await service.get("/", Via="1.1 proxy")
    assert "set STREAMQ_API_KEYS" in problem["detail"]


async def test_a_foreign_name_is_refused_at_every_path_but_probes_and_what_is_signed(
    service: Service,
) -> None:
    for method, path in EVERY_PATH:
        expected = OPEN.get(path, (403, "foreign-host"))
        assert await asked(service, method, path, Host="jobs.example.com") == expected, path


FOREIGN = ["evil.example", "localhost.evil.example", "0.0.0.0", "127.1", "a b", "[::2]", "localhost:1:2", ""]  # noqa: S104


async def test_a_host_that_is_not_this_machine_is_refused(service: Service) -> None:
    for host in FOREIGN:
        status, _ = await raw(service, f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n")
        assert status in (400, 403), host


async def test_every_name_of_this_machine_is_answered(service: Service) -> None:
    for host in (
        "127.0.0.1",
        "LOCALHOST:9000",
        "jobs.localhost:80",
        "[::1]:8000",
        "127.9.9.9",
        "[::ffff:127.0.0.1]",
    ):
        assert await asked(service, "GET", "/api/v1/queues", Host=host) == (200, ""), host


AS_PROXIES_WRITE = [
    "GET /api/v1/queues HTTP/1.0\nHost: 127.0.0.1:PORT",
    "GET /api/v1/queues HTTP/1.1",
    "GET /api/v1/queues HTTP/1.1\nHost: 127.0.0.1:PORT\nHost: evil.example",
    "GET http://evil.example/api/v1/queues HTTP/1.1\nHost: 127.0.0.1:PORT",
    "GET http://127.0.0.1:PORT/api/v1/queues HTTP/1.1\nHost: 127.0.0.1:PORT",
]


async def test_a_request_as_only_proxies_write_it_is_refused(service: Service) -> None:
    for head in AS_PROXIES_WRITE:
        status, answer = await raw(service, f"{head}\nConnection: close\n\n")
        assert status in (400, 403), head
        assert "send-sms-queue" not in answer


async def test_a_caller_from_another_address_is_refused_whatever_name_it_says(settings: Make) -> None:
    here = _outer_address()
    made = settings()
    with bind("0.0.0.0", 0) as listener:  # noqa: S104 - that is what must not matter
        async with messaging_app(made) as engine, serving(build_app(engine, made), listener):
            port = listener.getsockname()[1]
            async with aiohttp.ClientSession() as http:
                for host, expected in (("127.0.0.1", 200), (here, 403)):
                    url = f"http://{host}:{port}/api/v1/queues"
                    async with http.get(url, headers={"Host": f"127.0.0.1:{port}"}) as response:
                        assert response.status == expected, host


def _outer_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses our address
        except OSError:
            pytest.skip("this machine has no address but loopback")
        found: str = probe.getsockname()[0]
    return found


@asynccontextmanager
async def proxy(
    target: str, *, version: aiohttp.HttpVersion = aiohttp.HttpVersion11, **added: str
) -> AsyncIterator[str]:
    """A proxy before ``target``: it passes on what comes, with these headers; ``$host`` is the name it was asked by."""
    async with aiohttp.ClientSession(version=version, auto_decompress=False) as http:

        async def passed_on(request: web.Request) -> web.StreamResponse:
            kept = {
                name: value for name, value in request.headers.items() if name not in ("Host", "Connection")
            }
            more = {
                name.replace("_", "-"): value.replace("$host", request.host) for name, value in added.items()
            }
            async with http.request(
                request.method, target + request.path_qs, headers={**kept, **more}, data=await request.read()
            ) as answer:
                response = web.StreamResponse(
                    status=answer.status, headers={"Content-Type": answer.content_type}
                )
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(part)
                return response

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", passed_on)
        with bind("127.0.0.1", 0) as listener:
            async with serving(app, listener, quiet=True):
                yield address(listener)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"Host": "$host"}, "foreign-host"),  # as the page on deployment has it
        ({"X_Forwarded_For": "203.0.113.9"}, "proxied"),
        ({"version": aiohttp.HttpVersion10}, "proxied"),  # one that is told nothing
    ],
)
async def test_the_internet_behind_a_proxy_is_not_this_machine(service: Service, how: Any, code: str) -> None:
    async with proxy(service.url, **how) as front:
        for method, path in (("GET", "/api/v1/queues"), ("POST", "/api/schedule-sms"), ("GET", "/")):
            headers = {"Host": "jobs.example.com"}
            async with service.http.request(method, front + path, json=GOOD, headers=headers) as response:
                assert (response.status, (await response.json(content_type=None))["code"]) == (403, code)
    assert await service.jobs() == 0


@asynccontextmanager
async def nginx(service: Service, folder: Path) -> AsyncIterator[str]:
    """A real nginx before the service, with the block of the page on deployment."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no nginx is on the PATH")
    page = ROOT / "docs" / "how-to" / "deploy.md"
    (block,) = [block.text for block in blocks(page) if block.language == "nginx"]
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}} "
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};\n"
        + block.replace("http://127.0.0.1:8000", service.url)
        + "}}"
    )
    arguments = ("-c", str(folder / "nginx.conf"), "-e", "stderr")
    process = await asyncio.create_subprocess_exec(program, *arguments, stderr=asyncio.subprocess.DEVNULL)
    try:
        await until(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("keys", ["", "secret-of-the-jobs=admin"])
async def test_the_documented_nginx_block_lets_nobody_in_without_keys(
    settings: Make, start: Start, tmp_path: Path, keys: str
) -> None:
    async with (
        start(settings(api_keys=keys, base_path="/jobs")) as service,
        nginx(service, tmp_path) as front,
    ):
        for host in ("jobs.example.com", "localhost"):
            told = {"Host": host, "Authorization": "Bearer secret-of-the-jobs"}
            for path, status in (("/jobs/", 200), ("/jobs/api/v1/queues", 200), ("/jobs/health", 200)):
                async with service.http.get(front + path, headers=told) as response:
                    assert response.status == (status if keys or "health" in path else 403), (host, path)
        if keys:
            async with service.http.get(front + "/jobs/api/v1/events", headers=told) as events:
                assert await events.content.readline() == b"retry: 2000\n"


async def test_with_keys_all_works_behind_the_documented_proxy(settings: Make, start: Start) -> None:
    async with (
        start(settings(api_keys="secret-of-the-jobs=admin", base_path="/jobs")) as service,
        proxy(service.url, Host="$host", X_Forwarded_For="203.0.113.9") as front,
    ):
        told = {
            "Host": "jobs.example.com",
            "Authorization": "Bearer secret-of-the-jobs",
            "Origin": "https://jobs.example.com",
        }
        async with service.http.get(front + "/jobs/", headers=told) as page:
            assert page.status == 200
        async with service.http.post(front + "/jobs/api/schedule-sms", json=GOOD, headers=told) as sent:
            assert sent.status == 201
        async with service.http.get(front + "/jobs/api/v1/events", headers=told) as events:
            assert await events.content.readline() == b"retry: 2000\n"


PAGES = [
    ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://{host}"}, 403),
    ({"Origin": "http://{host}.evil.example"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
    ({"Sec-Fetch-Site": "something new"}, 403),
    ({"Origin": "http://{host}", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({}, 200),
]


async def test_only_our_own_page_may_call_and_no_page_on_another_port(service: Service) -> None:
    sent = 0
    for told, expected in PAGES:
        headers = {
            name: value.format(host=service.url.removeprefix("http://")) for name, value in told.items()
        }
        assert (await asked(service, "GET", "/api/v1/queues", **headers))[0] == expected, told
        status, _, _ = await service.post("/api/schedule-sms", GOOD, **headers)
        assert status == (201 if expected == 200 else 403), told
        sent += expected == 200
        assert await service.jobs() == sent


async def test_a_link_elsewhere_may_lead_to_the_page_and_only_a_visit_may(service: Service) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert await asked(service, "GET", "/", **visit) == (200, "")
    for path, told in (
        ("/", {**visit, "Sec-Fetch-Dest": "iframe"}),
        ("/static/app.js", visit),
        ("/api/v1/queues", visit),
    ):
        assert await asked(service, "GET", path, **told) == (403, "cross-site")


CHANGES = [(route.method, route.path) for route in ROUTES if route.says_json]
OF_FORMS = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/jsonx",
]


@pytest.mark.parametrize("keys", ["", "secret-of-the-jobs=admin"])
async def test_a_form_changes_nothing_whoever_sends_it(settings: Make, start: Start, keys: str) -> None:
    async with start(settings(api_keys=keys)) as service:
        told = {"Authorization": "Bearer secret-of-the-jobs"} if keys else {}
        for method, path in CHANGES:
            for kind in OF_FORMS:
                answer = await asked(service, method, path, **told, **{"Content-Type": kind})
                assert answer == (415, "unsupported-media-type"), (path, kind)
        answer = await asked(service, "POST", "/api/v1/queues/send-sms-queue/jobs/1-0/retry", **told)
        assert answer == (415, "unsupported-media-type")  # no body and no type, as a page may send it
        assert await service.jobs() == 0


@pytest.mark.parametrize("keys", ["", "secret-of-the-jobs=admin"])
async def test_no_other_page_is_ever_allowed_by_a_header(settings: Make, start: Start, keys: str) -> None:
    asks = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    async with start(settings(api_keys=keys)) as service:
        for method in ("OPTIONS", "GET", "POST"):
            for path in ("/", "/api/v1/queues", "/api/schedule-sms", "/health", "/nothing"):
                async with service.http.request(method, service.url + path, headers=asks) as response:
                    assert not [
                        name for name in response.headers if name.lower().startswith("access-control-")
                    ]
                    assert method != "OPTIONS" or response.status in (204, 403, 404, 405)

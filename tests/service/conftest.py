"""A real service for each test: engine, API, sandbox provider and worker, on loopback and a real server."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from streamq_service.app import build_app
from streamq_service.http.serve import address, bind, serving
from streamq_service.messaging import messaging_app
from streamq_service.sandbox.ledger import Ledger
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.settings import ServiceSettings

from streamq import App, Counts, Worker

from .. import rig
from .browser import browser, page  # noqa: F401  # pytest finds them here
from .declared import check
from .intake import bare, base  # noqa: F401  # pytest finds them here
from .pages import busy  # noqa: F401  # pytest finds it here

JSON = {"Content-Type": "application/json"}


@dataclass
class Service:
    """A running service, and a client that talks to it."""

    url: str
    engine: App
    http: aiohttp.ClientSession

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers and document of a POST; ``body`` is bytes, or a value sent as JSON."""
        return await self.send("POST", path, body, **headers)

    async def send(self, method: str, path: str, body: Any = b"", **headers: str) -> tuple[int, Any, Any]:
        """The same of any method."""
        data = (
            BytesIO(body) if isinstance(body, bytes) and len(body) > 1_000_000 else body
        )  # aiohttp warns of it
        content = {"data": data} if isinstance(body, bytes) else {"json": body}
        sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.request(method, self.url + path, headers=sent, **content) as response:
            return await _held(method, path, response)

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers and document of a GET."""
        async with self.http.get(self.url + path, headers=headers) as response:
            return await _held("GET", path, response)

    async def jobs(self) -> int:
        """How many jobs there are, in all queues and states."""
        counts = [await self.engine.queue(name).counts() for name in await self.engine.queues()]
        return sum(_total(count) for count in counts)


async def _held(method: str, path: str, response: aiohttp.ClientResponse) -> tuple[int, Any, Any]:
    """An answer, once it is as its route declares it."""
    document = await response.json(content_type=None)
    check(method, path, response.status, document)
    return response.status, response.headers, document


def _total(counts: Counts) -> int:
    return sum(counts.asdict().values())


@asynccontextmanager
async def running(
    settings: ServiceSettings, engine: App | None = None, inbox: Ledger | None = None
) -> AsyncIterator[Service]:
    """A service with these settings, without a worker; ``inbox`` is that of a sandbox inside."""
    engine = engine or messaging_app(settings)
    with bind("127.0.0.1", 0) as listener:
        async with (
            engine,
            serving(build_app(engine, settings, inbox=inbox), listener),
            aiohttp.ClientSession() as http,
        ):
            yield Service(address(listener), engine, http)


@asynccontextmanager
async def working(engine: App) -> AsyncIterator[Worker]:
    """A worker that has begun, so that its tasks are known to all, and that ends in order."""
    async with rig.working(engine, concurrency=None) as worker:
        await rig.until(worker.is_ready.is_set)
        yield worker


@pytest.fixture
def settings(server_url: str, prefix: str) -> Callable[..., ServiceSettings]:
    """Settings of this test's own prefix, with quick retries."""

    def make(**given: Any) -> ServiceSettings:
        return ServiceSettings(**{"redis_url": server_url, "prefix": prefix, "sms_backoff": 0.02, **given})

    return make


@pytest.fixture
async def sandbox() -> AsyncIterator[Service]:
    """A provider to send to; ``url`` is the SMS_API_URL."""
    with bind("127.0.0.1", 0) as listener:
        async with serving(build_sandbox(), listener), aiohttp.ClientSession() as http:
            yield Service(address(listener), App(), http)


@pytest.fixture
async def service(settings: Callable[..., ServiceSettings], sandbox: Service) -> AsyncIterator[Service]:
    """The service over the sandbox, without a worker."""
    async with running(settings(sms_api_url=sandbox.url)) as service:
        yield service


@pytest.fixture
def start() -> Callable[..., AbstractAsyncContextManager[Service]]:
    """``async with start(settings(…)) as service:`` for a service of another kind."""
    return running


@pytest.fixture
def work() -> Callable[[App], AbstractAsyncContextManager[Worker]]:
    """``async with work(service.engine):`` runs a worker."""
    return working


@pytest.fixture
def sums(settings: Callable[..., ServiceSettings]) -> App:
    """An app with one task, which gives back its number."""
    app = App(settings())

    @app.task(queue="sums")
    async def add(number: int) -> int:
        return number

    return app


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    """TLS under a certificate that nobody has signed."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *files], cwd=tmp_path, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return tls

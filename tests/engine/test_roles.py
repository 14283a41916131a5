"""Every role in a process of its own: whose settings it runs under, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bench.process import free_port
from streamq import App, JobFailed, State

from ..processes import without_settings
from ..rig import ON_ONE_SERVER, until
from ..servers import Server

pytestmark = ON_ONE_SERVER

NOWHERE = "unix:///nonexistent/s"
ROLES = {
    "worker": ("worker", "shop:app"),
    "workers": ("worker", "shop:app", "--processes", "2"),
    "scheduler": ("scheduler", "shop:app"),
    "reclaimer": ("reclaimer", "shop:app"),
    "up": ("up", "shop:app", "--port", "0"),
    "api": ("api", "shop:app", "--port", "{port}"),
}
"""``{port}`` is a free one: the API alone connects when it is asked."""
BEGINS = {
    "worker": ": q, 100 at once; server ", "workers": ": q, 100 at once; server ", "up": ": q, 100 at once; server ",
    "scheduler": "upkeep, reclaimer, auditor, ", "reclaimer": " reclaimer, auditor", "api": "the API is at http://",
}  # fmt: skip
"""What the log says once a role has begun; its last line is that it has ended."""


class Role:
    """A role that runs in a folder with a module ``shop``."""

    def __init__(self, folder: Path, words: tuple[str, ...], redis_url: str, **environment: str) -> None:
        (folder / "shop.py").write_text(
            "from streamq import App\n"
            f"app = App(redis_url={redis_url!r}, prefix='shop', beat=0.5, lease=2)\n"
            "@app.task(queue='q')\n"
            "async def work(number: int) -> None: ...\n"
        )
        self.port = free_port()
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamq", *(word.format(port=self.port) for word in words)],
                cwd=folder, env=without_settings(**environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def at_work(self, server: Server) -> bool:
        """Whether somebody of ours is connected to the server."""
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready"):
            pass
        with server.client() as client:
            return any("streamq" in one["name"] or "-" in one["name"] for one in client.client_list())

    async def end(self, number: int) -> int:
        """Its exit code after the signal."""
        self.process.send_signal(number)
        return (
            int(await until(lambda: self.process.poll() is not None and self.process.returncode + 1, 15)) - 1
        )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Role]]:
    """``start(words, redis_url of the app, VARIABLE=…)``; what still runs at the end is killed."""
    started: list[Role] = []

    def make(words: tuple[str, ...], redis_url: str, **environment: str) -> Role:
        started.append(Role(tmp_path, words, redis_url, **environment))
        return started[-1]

    yield make
    for role in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(role.process.pid).children(recursive=True):
                child.kill()
        role.process.kill()
        role.process.wait(10)


@pytest.mark.parametrize(
    "act",
    [
        "await asyncio.gather(end(SystemExit(3)), asyncio.sleep(0.1))",
        "await asyncio.gather(end(KeyboardInterrupt()), asyncio.sleep(0.1))",
        "asyncio.ensure_future(end(SystemExit(3))); await asyncio.sleep(0.1)",
        "asyncio.get_running_loop().call_soon(sys.exit, 3); await asyncio.sleep(0.1)",
        "asyncio.get_running_loop().stop()",
    ],
)
def test_a_worker_outlives_what_a_task_of_its_handler_raises(
    tmp_path: Path, own_server: Callable[..., Server], act: str
) -> None:
    """Otherwise its job would be given back, and end the next worker."""
    server = own_server()
    (tmp_path / "shop.py").write_text(
        f"""
import asyncio, sys
from streamq import App
app = App(redis_url={server.url!r}, prefix="shop", shutdown_grace=2)
async def end(error):
    raise error
@app.task(queue="q", attempts=1)
async def work(x: int) -> int:
    {act}
    return x
@app.task(queue="q")
async def good(x: int) -> int:
    return x
"""
    )
    program = (
        "from shop import app, work, good\n"
        "job = app.sync.enqueue(work, 1)\n"
        "try:\n    job.result(10)\nexcept Exception as error:\n    print(type(error).__name__)\n"
        "print(job.status().state.value, app.sync.enqueue(good, 5).result(10))\n"
    )
    worker = subprocess.Popen([sys.executable, "-m", "streamq", "worker", "shop:app"], cwd=tmp_path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        failed = "gather" in act
        expected = "JobFailed\nfailed 5\n" if failed else "completed 5\n"
        assert done.stdout == expected, done.stderr
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
    finally:
        worker.kill()
        worker.wait(10)


async def test_a_worker_ends_though_a_handler_in_its_thread_does_not(
    tmp_path: Path, own_server: Callable[..., Server]
) -> None:
    server = own_server()
    (tmp_path / "shop.py").write_text(
        f"""
import asyncio, time
from streamq import App
app = App(redis_url={server.url!r}, prefix="shop", shutdown_grace=0.1)
@app.task(queue="q", attempts=1, timeout=0.1)
def hang(x: int) -> None:
    time.sleep(600)
@app.task(queue="q")
async def other(x: int) -> None:
    await asyncio.sleep(600)
"""
    )
    worker = subprocess.Popen([sys.executable, "-m", "streamq", "worker", "shop:app"], cwd=tmp_path)
    try:
        async with App(redis_url=server.url, prefix="shop") as app:
            other, job = await app.enqueue("q", "other", 1), await app.enqueue("q", "hang", 1)
            with pytest.raises(JobFailed, match="TimeLimit"):
                await job.result(30)
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(worker.wait, 30) == 0
            record = await other.status()
            assert (record.state, record.attempt, record.crashes) == (State.WAITING, 0, 0)
    finally:
        worker.kill()
        worker.wait(10)


@pytest.mark.parametrize("role", ROLES)
async def test_arguments_of_the_app_win_over_the_environment_and_sighup_ends_in_order(
    role: str, start: Callable[..., Role], own_server: Callable[..., Server]
) -> None:
    server = own_server()
    running = start(ROLES[role], server.url, STREAMQ_REDIS_URL=NOWHERE, STREAMQ_PREFIX="other")
    await until(lambda: running.at_work(server) and BEGINS[role] in running.log.read_text(), 20)
    assert await running.end(signal.SIGHUP) == 0, running.log.read_text()
    said = running.log.read_text()
    assert "SIGHUP: stopping" in said, said
    assert "has ended" in said.splitlines()[-1], said
    with server.client() as client:
        assert not client.keys("other*")


@pytest.mark.parametrize("role", ROLES)
async def test_what_is_typed_wins_over_the_arguments_and_sigterm_ends_in_order(
    role: str, start: Callable[..., Role], own_server: Callable[..., Server]
) -> None:
    server = own_server(password="hidden-7")
    words = (*ROLES[role], "--redis-url", server.url)
    running = start(words, NOWHERE, STREAMQ_REDIS_URL=NOWHERE)
    await until(lambda: running.at_work(server), 20)
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert not [child.cmdline() for child in children if "hidden-7" in " ".join(child.cmdline())]
    assert await running.end(signal.SIGTERM) == 0, running.log.read_text()


async def test_what_is_typed_reaches_every_worker_process(
    start: Callable[..., Role], own_server: Callable[..., Server]
) -> None:
    server = own_server()
    words = ("--processes", "2", "--concurrency", "7", "--redis-url", server.url)
    running = start(("worker", "shop:app", *words), NOWHERE)
    async with App(redis_url=server.url, prefix="shop") as app:

        async def slots() -> list[int] | None:
            found = [info.concurrency for info in await app.workers()]
            return found if len(found) == 2 else None

        assert await until(slots, 30) == [7, 7]
    assert await running.end(signal.SIGTERM) == 0, running.log.read_text()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_that_waits_for_its_server_ends_at_once_when_told_to(
    role: str, start: Callable[..., Role], server_kind: str
) -> None:
    running = start(ROLES[role], NOWHERE, STREAMQ_READY_TIMEOUT="60")
    handles_it = lambda: _catches(running.process.pid, signal.SIGTERM)  # noqa: E731
    await until(handles_it, 20)
    assert await running.end(signal.SIGTERM) == 0, running.log.read_text()


@pytest.mark.parametrize("role", ["worker", "scheduler", "up"])
async def test_a_role_that_was_started_with_nohup_outlives_its_terminal(
    role: str, start: Callable[..., Role], own_server: Callable[..., Server]
) -> None:
    server, before = own_server(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = start(ROLES[role], server.url)
    finally:
        signal.signal(signal.SIGHUP, before)
    await until(lambda: running.at_work(server), 20)
    running.process.send_signal(signal.SIGHUP)
    with pytest.raises(TimeoutError):
        await until(lambda: running.process.poll() is not None, 1)
    assert await running.end(signal.SIGTERM) == 0


async def test_up_takes_its_server_along_at_sighup(start: Callable[..., Role], server_kind: str) -> None:
    running = start(("up", "shop:app", "--port", "0"), "")
    await until(lambda: "curl" in running.log.read_text(), 20)
    children = psutil.Process(running.process.pid).children()
    assert len(children) == 1
    assert await running.end(signal.SIGHUP) == 0
    assert not children[0].is_running()


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for the signal."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells which signals a process handles")
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> number - 1 & 1)


async def test_no_duties_and_undeclared_queues_are_as_typed(
    start: Callable[..., Role], own_server: Callable[..., Server]
) -> None:
    server = own_server()
    start(("worker", "shop:app", "--no-duties", "--undeclared", "--queues", "q,other"), server.url)
    async with App(redis_url=server.url, prefix="shop") as app:
        late = await app.enqueue("q", "work", 1, delay=0.1)
        elsewhere = [await app.enqueue("other", "work", 1, delay=None) for _ in range(2)]
        await elsewhere[0].result(20)
        assert (await late.status()).state == "delayed", "it is due, and left to schedulers"
        with server.client() as client:
            assert not client.keys("shop:*upkeep*")

"""The commands, run as people run them."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
READY = 20.0
"""Seconds a command may take to say that it is up, or to end."""


class Running:
    """A command that runs."""

    def __init__(self, process: asyncio.subprocess.Process, said: str) -> None:
        self.process, self.said = process, said

    @property
    def url(self) -> str:
        """Where its API listens."""
        found = re.search(r"(?:dashboard|streamq api:|streamq sandbox:)\s+(http://[\d.]+:\d+)", self.said)
        assert found, self.said
        return found[1]

    @property
    def provider(self) -> str:
        """Where its sandbox listens."""
        found = re.search(r"sandbox, (http://[\d.]+:\d+)/ledger", self.said)
        assert found, self.said
        return found[1]

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; its exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), READY)


@asynccontextmanager
async def command(folder: Path, *words: str, until: str, **environment: str) -> AsyncIterator[Running]:
    """``streamq …`` in a folder, once it has said ``until``; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamq", *words),
        cwd=folder,
        env=clean(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said = ""
        assert process.stdout is not None
        async with asyncio.timeout(READY):
            while until not in said:
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
        yield Running(process, said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def clean(given: dict[str, str]) -> dict[str, str]:
    """An environment with these settings alone."""
    path = [entry for entry in sys.path if entry]
    search = {"PATH": ":".join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])}
    return {**search, "PYTHONPATH": ":".join(path), "PYTHONUNBUFFERED": "1", **given}


def tried(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``streamq …`` that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "streamq", *words],
        cwd=folder,
        env=clean(environment),
        capture_output=True,
        text=True,
        timeout=READY,
        check=False,
    )


async def sent(url: str, wait: str = "wait=15") -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/api/schedule-sms", json=GOOD, headers={"Prefer": wait}) as response,
    ):
        job: dict[str, Any] = await response.json()
        return job


async def read(url: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return await response.json()


def up(folder: Path, **environment: str) -> Any:
    return command(folder, "up", "--demo", "--port", "0", until="curl", **environment)


async def test_up_delivers_a_message_ends_in_order_and_keeps_its_data(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        job = await sent(running.url)
        assert job["state"] == "completed"
        assert (await read(f"{running.provider}/ledger"))["totals"]["calls"] == 1
        children = psutil.Process(running.process.pid).children()
        assert len(children) == 1
        assert await running.end() == 0
        assert not children[0].is_running()
    async with up(tmp_path) as running:
        again = await read(f"{running.url}/api/v1/queues/send-sms-queue/jobs/{job['id']}")
        assert {**again, "disposition": "created"} == job
        assert await running.end(signal.SIGINT) == 0


async def test_up_sends_e_mail_to_its_sandbox(tmp_path: Path) -> None:
    body = {"to": "ada@example.com", "subject": "Hello", "html": "<p>Hello Ada", "workspaceId": 66338}
    async with up(tmp_path) as running:
        async with (
            aiohttp.ClientSession(headers={"Prefer": "wait=10"}) as http,
            http.post(f"{running.url}/api/schedule-email", json=body) as response,
        ):
            assert (await response.json())["state"] == "completed"
        (call,) = (await read(f"{running.provider}/ledger"))["calls"]
        assert (call["body"]["subject"], call["body"]["workspaceId"]) == ("Hello", 66338)
        assert await running.end() == 0


async def test_up_answers_messages_without_a_model(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        body = {
            "workspace_id": 66338, "contact_id": "c-9", "message_id": "m-1", "message_text": "Is a table free?",
            "callback_url": f"{running.provider}/send-sms",
        }  # fmt: skip
        async with (
            aiohttp.ClientSession(headers={"Prefer": "wait=10"}) as http,
            http.post(f"{running.url}/api/ai-response", json=body) as response,
        ):
            assert (await response.json())["state"] == "completed"
        (call,) = (await read(f"{running.provider}/ledger"))["calls"]
        assert (call["body"]["to"], "Is a table free?" in call["body"]["message"]) == ("c-9", True)
        assert await running.end() == 0


async def test_up_runs_an_app_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from streamq import App\n"
        "app = App()\n"
        "@app.task(queue='sums')\n"
        "async def add(left: int, right: int) -> int:\n"
        "    return left + right\n"
    )
    async with command(tmp_path, "up", "shop:app", "--port", "0", until="curl") as running:
        assert "provider" not in running.said
        body = {"task": "add", "payload": {"left": 2, "right": 3}}
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{running.url}/api/v1/queues/sums/jobs", json=body, headers={"Prefer": "wait=10"}
            ) as answer,
        ):
            assert (await answer.json())["result"] == 5
        await running.end()


async def test_up_stays_small(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        for _ in range(50):
            await sent(running.url)
        # five of them are OpenTelemetry's, which redis-py loads where it is installed, as it is here
        assert psutil.Process(running.process.pid).memory_info().rss < 90_000_000
        await running.end()


async def test_up_lets_a_running_message_finish(tmp_path: Path) -> None:
    async with up(tmp_path) as running, aiohttp.ClientSession() as http:
        await http.put(f"{running.provider}/behaviour", json={"mode": "slow", "delay_ms": 1_000})
        job = await sent(running.url, "wait=0")
        while not (await read(f"{running.provider}/ledger"))["calls"]:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
        assert await running.end() == 0
    async with up(tmp_path) as running:
        found = await read(f"{running.url}/api/v1/queues/send-sms-queue/jobs/{job['id']}")
        assert (found["state"], found["attempt"]) == ("completed", 1)
        await running.end()


async def test_a_second_signal_ends_up_at_once_and_the_message_is_not_lost(tmp_path: Path) -> None:
    async with up(tmp_path) as running, aiohttp.ClientSession() as http:
        await http.put(f"{running.provider}/behaviour", json={"mode": "slow", "delay_ms": 14_000})
        job = await sent(running.url, "wait=0")
        while not (await read(f"{running.provider}/ledger"))["calls"]:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(running.process.wait(), 0.5)
        async with asyncio.timeout(5):
            assert await running.end() == 0
    async with up(tmp_path) as running:
        path = f"/api/v1/queues/send-sms-queue/jobs/{job['id']}"
        async with asyncio.timeout(10):
            while (await read(running.url + path))["state"] != "completed":  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.05)
        await running.end()


async def test_up_passes_over_a_taken_port_and_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with command(tmp_path, "up", "--demo", "--port", str(port), until="curl") as running:
            assert f"(port {port} is taken)" in running.said
            assert not running.url.endswith(f":{port}")
            await running.end()


async def test_the_api_alone_serves_another_ups_server_and_shows_no_password(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        words = ("api", "--port", "0", "--data-dir", str(tmp_path / ".streamq"))
        async with command(tmp_path.parent, *words, until="streamq api:") as api:
            assert (await sent(api.url))["state"] == "completed"
            assert await api.end() == 0
        url = f"unix://alice:topsecret@{tmp_path}/.streamq/redis.sock"
        shown = tried(tmp_path, "api", "--host", "0.0.0.0", STREAMQ_REDIS_URL=url)  # noqa: S104 - refused
        assert "topsecret" not in shown.stdout + shown.stderr
        await running.end()


async def test_the_sandbox_alone_takes_calls_and_writes_them_down(tmp_path: Path) -> None:
    words = ("sandbox", "--port", "0", "--ledger", "calls.jsonl")
    async with command(tmp_path, *words, until="streamq sandbox:") as running:
        async with aiohttp.ClientSession() as http:
            await http.post(f"{running.url}/send-sms", json={"to": "1"})
        assert await running.end(signal.SIGKILL) == -9
    assert '"body":{"to": "1"}}' in (tmp_path / "calls.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("api", "--host", "0.0.0.0"), "without API keys"),  # noqa: S104 - refused
        (("up", "--host", "0.0.0.0"), "without API keys"),  # noqa: S104 - refused
        (("sandbox", "--host", "0.0.0.0"), "refusing to listen"),  # noqa: S104 - refused
        (("api",), "SMS_API_URL: it must be"),
        (("up",), "SMS_API_URL: it must be"),
        (("worker", "streamq_service.messaging:app"), "SMS_API_URL: it must be"),
        (("api", "--host", "192.0.2.1"), "without API keys"),
    ],
)
def test_a_wrong_setting_is_one_clear_line_and_exit_code_78(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    environment = {"SMS_API_URL": "ftp://sms.example.com"} if "SMS_API_URL" in said else {}
    ended = tried(tmp_path, *words, **environment)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_of_the_api_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = tried(tmp_path, "api", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 78
    assert "is taken" in ended.stderr


@pytest.mark.parametrize("name", ["up", "api", "sandbox"])
def test_help_has_an_example_and_loads_nothing_heavy(name: str) -> None:
    script = (
        "import sys; from streamq_service.run import commands\n"
        f"try: commands.{name}(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'aiohttp', 'pydantic', 'redis', 'orjson', 'uvloop'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=clean({}),
        capture_output=True,
        text=True,
        timeout=READY,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert f"streamq {name}" in ended.stdout


def test_up_says_what_it_waits_for_and_gives_up(tmp_path: Path) -> None:
    away = {"STREAMQ_REDIS_URL": "redis://:topsecret@127.0.0.1:1", "STREAMQ_READY_TIMEOUT": "1"}
    ended = tried(tmp_path, "up", "--port", "0", **away)
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "waiting: no server was ready" in ended.stderr
    assert "topsecret" not in ended.stderr

"""No password is shown: not by a command, a log, an answer, a start screen, or the arguments of a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psutil
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq.cli import main

from ..rig import ON_ONE_SERVER, until
from ..servers import Server

COMMANDS = (
    ("queues",), ("queues", "--json"), ("workers",), ("doctor",), ("doctor", "--json"), ("probe", "ready"),
    ("job", "ls", "q"), ("job", "get", "q", "1-0", "--json"), ("job", "enqueue", "q", "t"),
    ("job", "retry", "q", "1-0"),
    ("up", "--port", "0"), ("api", "--port", "0"), ("worker", "shop:app"), ("scheduler",), ("reclaimer",),
    ("bench", "run", "floor", "--quick"),
)  # fmt: skip
ODD = "/#?,[]@%: &=+$'\"\\;{}<>|^`~!*()\t"
SECRETS = st.text(st.sampled_from(ODD + "QZ"), min_size=3, max_size=12).map(lambda text: f"Qx{text}Zy")
SECRET = "Qx/#?,[@% :1/0@Zy"
"""With what a parser may take for the end of it."""


def pieces(secret: str) -> set[str]:
    """What must not be seen of a secret: parts of it between the characters at which a parser may cut."""
    words = "".join(c if c.isalnum() else " " for c in secret).split()
    return {secret} | {word for word in words if len(word) > 1}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder, with an app and no settings."""
    for name in [name for name in os.environ if name.startswith("STREAMQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shop.py").write_text(
        "from streamq import App\napp = App(prefix='shop', beat=0.5, lease=2)\n"
        "@app.task(queue='q')\nasync def work(number: int) -> None: ...\n"
    )
    return tmp_path


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SECRETS, st.sampled_from(COMMANDS[:10]), st.booleans(), st.booleans())
def test_no_command_tells_the_password_of_a_server_that_is_away(
    folder: Path, secret: str, words: tuple[str, ...], encoded: bool, typed: bool
) -> None:
    written = quote(secret, safe="") if encoded else secret
    for url in (f"redis://:{written}@127.0.0.1:1/0", f"redis://127.0.0.1:1?password={written}"):
        arguments, env = (
            ([*words, "--redis-url", url], {}) if typed else ([*words], {"STREAMQ_REDIS_URL": url})
        )
        ended = CliRunner().invoke(main, arguments, env={**env, "STREAMQ_CONNECT_TIMEOUT": "0.3"})
        assert ended.exit_code in (1, 69, 78), (words, ended.output)
        assert not any(piece in ended.output for piece in pieces(secret)), ended.output
        if not encoded and ended.exit_code == 78:
            assert "%2F" in ended.output or "%26" in ended.output


@pytest.mark.parametrize("words", COMMANDS[10:], ids=" ".join)
def test_no_role_tells_an_address_that_it_refuses(folder: Path, words: tuple[str, ...]) -> None:
    url = f"redis://:{SECRET}@127.0.0.1:1"
    if words[0] == "bench":
        words = (*words, "--redis-url", url)
    ended = CliRunner().invoke(main, [*words], env={"STREAMQ_REDIS_URL": url})
    assert ended.exit_code != 0
    assert not any(piece in ended.output for piece in pieces(SECRET)), ended.output


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("worker", "shop:app", "--processes", "2"), True),
        (("up", "shop:app", "--port", "0"), False),
        (("api", "shop:app", "--port", "0"), False),
    ],
)
async def test_no_running_role_tells_its_password(
    folder: Path, own_server: Callable[..., Server], words: tuple[str, ...], typed: bool
) -> None:
    server = own_server()
    url = f"unix://:{quote(SECRET, safe='')}@{server.socket}"
    with server.client() as client:
        client.config_set("requirepass", SECRET)
    env = {name: value for name, value in os.environ.items() if not name.startswith("STREAMQ_")}
    env |= {"STREAMQ_LOG": "json", "STREAMQ_LOG_LEVEL": "debug"} | (
        {} if typed else {"STREAMQ_REDIS_URL": url}
    )
    told = folder / "told"
    with told.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streamq", *words, *(("--redis-url", url) if typed else ()),
            cwd=folder, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        if words[0] == "worker":
            parent = psutil.Process(process.pid)
            children = await until(parent.children, 15)
            for child in children:
                await until(
                    lambda child=child: child.cmdline() != parent.cmdline(), 5
                )  # it has been a copy of it
                assert not any(piece in " ".join(child.cmdline()) for piece in pieces(SECRET))
        else:
            port = (await until(lambda: re.search(r"http://127.0.0.1:(\d+)/", told.read_text()), 15))[1]
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/ready") as answer:
                assert answer.status == 200
        server.kill()
        if words[0] != "worker":
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/ready") as answer:
                assert answer.status == 503
                text = await answer.text()
                assert not any(piece in text for piece in pieces(SECRET)), text
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 15)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert not any(piece in told.read_text() for piece in pieces(SECRET)), told.read_text()

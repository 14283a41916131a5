"""A real PostgreSQL for tests: each server in its own short-lived folder, on loopback, ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from bench.process import free_port

READY: float = 30.0
"""Seconds a server may take to start or to end."""
_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """Where its programs are, those of the newest version; None if this machine has none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class Postgres:
    """One server that a test may start, stop, kill, pause and continue; its port stays the same."""

    def __init__(self, programs: Path, *options: str) -> None:
        self._programs, self._options = programs, options
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root: then it runs as nobody in particular.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            who = pwd.getpwnam(self._user)
            os.chown(self.directory, who.pw_uid, who.pw_gid)
        self._call(
            "initdb", "--auth=trust", "--username=tester", "--encoding=UTF8", "--no-sync", "--no-locale"
        )

    def _call(self, program: str, *words: str) -> None:
        data = ["--pgdata", str(self.directory / "data")]
        subprocess.run(
            [self._programs / program, *data, *words],
            user=self._user,
            cwd=self.directory,
            check=True,
            capture_output=True,
        )

    @property
    def url(self) -> str:
        """Of the database that is there from the begin."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Of any database."""
        return f"postgresql://tester@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start it and wait until it answers (some 100 ms)."""
        assert self._process is None, "the server is running"
        words = ["-D", self.directory / "data", "-p", str(self.port), "-h", "127.0.0.1", "-k", self.directory]
        settings = [
            word
            for option in ("max_connections=60", "shared_buffers=32MB", *self._options)
            for word in ("-c", option)
        ]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *words, *settings],
                user=self._user, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + READY
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, "PostgreSQL does not start"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it as an operator would who does not wait for clients (a fast shutdown)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would (SIGQUIT to all its processes): what was not committed is gone."""
        self._end(signal.SIGQUIT)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        process = psutil.Process(self._process.pid)
        for each in (process, *process.children()):
            each.send_signal(number)

    def close(self) -> None:
        """End it if it runs, and remove its folder."""
        if self._process is not None:
            self.resume()
            self._end(signal.SIGQUIT)
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None, "the server is not running"
        children = psutil.Process(process.pid).children()
        process.send_signal(how)
        try:
            process.wait(READY)
        except subprocess.TimeoutExpired:  # whatever it waits for: nothing of it may be left
            for each in (psutil.Process(process.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()
            raise


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of the session. Do not stop it."""
    with Postgres(found_programs(), "fsync=off") as server:
        yield server


def found_programs() -> Path:
    """Where PostgreSQL is; without it the test is skipped, and fails under CI."""
    found = programs()
    if found is None:
        missing = "no PostgreSQL is installed (Debian: apt install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found

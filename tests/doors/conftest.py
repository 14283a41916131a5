"""A real API in a process of its own, and raw sockets to try its doors with."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from ..processes import ROOT, without_settings

KEY = "doors-0123456789abcdef"
KEYED = f"Authorization: Bearer {KEY}\r\n".encode()
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
SMS = b"/api/schedule-sms"
PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back: ``status`` 0 when nothing did."""

    status: int
    head: str
    body: bytes

    @property
    def is_a_marked_problem(self) -> bool:
        """A problem document with the headers that every answer has."""
        marks = ("server: streamq\r\n", "x-content-type-options: nosniff", "content-security-policy: ")
        more = ("content-type: application/problem+json", "cache-control: no-store", "x-request-id: ")
        return all(mark in self.head.lower() for mark in marks + more) and b'"request_id"' in self.body


class Api:
    """``streamq api`` with one key."""

    def __init__(self, process: psutil.Process, port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def connect(self) -> socket.socket:
        """A raw connection, which waits at most ``PATIENCE`` seconds for anything."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(self, *parts: bytes) -> Answer:
        """Send the parts one after the other, and read one answer."""
        with self.connect() as line:
            try:
                for part in parts:
                    line.sendall(part)
            except ConnectionError:
                pass  # it was answered already
            return answer_of(line)

    def get(self, path: bytes, headers: bytes = b"", host: bytes = HOST) -> Answer:
        """A plain GET, whose header may be anything."""
        return self.ask(b"GET " + path + b" HTTP/1.1\r\n" + host + headers + b"\r\n")

    def post(self, body: bytes, headers: bytes = JSON, key: bytes = KEYED, path: bytes = SMS) -> Answer:
        """A POST of a whole body."""
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        return self.ask(b"POST " + path + b" HTTP/1.1\r\n" + HOST + key + headers + length, body)

    @property
    def seconds(self) -> float:
        """CPU time that the process has used."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    @property
    def memory(self) -> int:
        """Bytes of memory that the process has."""
        return int(self.process.memory_info().rss)


def answer_of(line: socket.socket) -> Answer:
    """The next answer on a connection; an interim one (1xx) is passed over."""
    got = b""
    while b"\r\n\r\n" not in got and (more := _more(line)):
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        while b"\r\n\r\n" not in body and (more := _more(line)):
            body += more
        head, _, body = body.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length and len(body) < int(length[1]) and (more := _more(line)):
        body += more
    status = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    return Answer(int(status[1]) if status else 0, head.decode() + "\r\n", body)


def closes(line: socket.socket) -> bool:
    """Whether the other side ends the connection, sooner than a test waits."""
    while _more(line):
        pass
    return True


def _more(line: socket.socket) -> bytes:
    try:
        return line.recv(65_536)
    except ConnectionError:
        return b""


@pytest.fixture(scope="package")
def api(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API over the session's server."""
    folder = tmp_path_factory.mktemp("doors")
    with _running(folder, server_url) as process:
        log = folder / "log"
        yield Api(psutil.Process(process.pid), _port(log, process), log)


@contextmanager
def _running(folder: Path, server_url: str) -> Iterator[subprocess.Popen[bytes]]:
    given = {"REDIS_URL": server_url, "API_KEYS": f"{KEY}=admin", "PREFIX": "doors", "LOG_LEVEL": "info"}
    settings = {f"STREAMQ_{name}": value for name, value in given.items()}
    environment = without_settings(**settings, PYTHONPATH=str(ROOT))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamq", "api", "--port", "0"],
            env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"streamq api: http://127\.0\.0\.1:(\d+)/", log.read_text()):
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(log.read_text())

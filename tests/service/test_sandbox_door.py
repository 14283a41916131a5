"""The sandbox answers programs of this machine and nobody else; its file is ours alone, its memory bounded."""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamq_service.sandbox.ledger import KEEP, Ledger
from streamq_service.sandbox.provider import LARGEST, build_sandbox

from streamq import ConfigurationError

from .conftest import JSON, Service

ROUTES = (
    ("POST", "/send-sms"),
    ("GET", "/ledger"),
    ("DELETE", "/ledger"),
    ("GET", "/behaviour"),
    ("PUT", "/behaviour"),
    ("GET", "/nowhere"),
)
FOREIGN: tuple[tuple[dict[str, str], str], ...] = (
    ({"Host": "rebound.example:8025"}, "foreign-host"),
    ({"Host": "127.0.0.1.example"}, "foreign-host"),
    ({"Host": "10.0.0.1"}, "foreign-host"),
    ({"Origin": "https://elsewhere.example"}, "cross-site"),
    ({"Origin": "http://localhost:3000"}, "cross-site"),
    ({"Origin": "null"}, "cross-site"),
    ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
    ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
    ({"X-Forwarded-For": "203.0.113.9"}, "proxied"),
    ({"Forwarded": "for=203.0.113.9"}, "proxied"),
    ({"X-Real-IP": "203.0.113.9"}, "proxied"),
    ({"Via": "1.1 proxy"}, "proxied"),
)


async def asked(sandbox: Service, method: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and document of a request with these headers."""
    sent = {**JSON, **headers}
    async with sandbox.http.request(method, sandbox.url + path, data=b"{}", headers=sent) as response:
        body = await response.read()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, json.loads(body) if body else {}


@pytest.mark.parametrize(("headers", "code"), FOREIGN, ids=repr)
async def test_a_web_page_or_a_proxy_reaches_nothing(
    sandbox: Service, headers: dict[str, str], code: str
) -> None:
    for method, path in ROUTES:
        status, problem = await asked(sandbox, method, path, **headers)
        assert (status, problem["code"]) == (403, code)
    assert (await sandbox.get("/ledger"))[2]["totals"]["calls"] == 0
    assert (await sandbox.get("/behaviour"))[2]["mode"] == "ok"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_changes_something_must_say_that_it_is_json(sandbox: Service, kind: str) -> None:
    for method, path in (("POST", "/send-sms"), ("PUT", "/behaviour")):
        status, problem = await asked(sandbox, method, path, **{"Content-Type": kind})
        assert (status, problem["code"]) == (415, "unsupported-media-type")
    assert (await sandbox.get("/ledger"))[2]["totals"]["calls"] == 0


async def test_its_own_names_are_answered_with_their_port(sandbox: Service) -> None:
    port = sandbox.url.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1", "[::1]", "sms.localhost"):
        own = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}", "Sec-Fetch-Site": "same-origin"}
        assert (await asked(sandbox, "GET", "/ledger", **own))[0] == 200


async def test_a_call_of_more_than_a_megabyte_is_refused_and_not_kept(sandbox: Service) -> None:
    body = io.BytesIO(b"x" * (LARGEST + 1))
    async with sandbox.http.post(sandbox.url + "/send-sms", data=body, headers=JSON) as response:
        assert response.status == 413
    assert (await sandbox.get("/ledger"))[2]["totals"]["calls"] == 0


@pytest.mark.parametrize("retry_after", ["1\r\nSet-Cookie: a=b", "\x00", "x" * 300, 10**13])
async def test_a_behaviour_that_no_header_can_tell_is_refused(
    sandbox: Service, retry_after: str | int
) -> None:
    async with sandbox.http.put(sandbox.url + "/behaviour", json={"retry_after": retry_after}) as response:
        assert response.status == 422


async def test_the_ledger_shows_texts_that_steer_no_terminal_and_have_the_same_value(
    sandbox: Service,
) -> None:
    text = "\x9b31m \u202egnp\u2028 \x7f \U000e0041 Grüße 🎉"
    body = json.dumps({"to": text}, ensure_ascii=False).encode()
    raw = b"no json: \x1b[31m \x9b"
    for data in (body, raw):
        async with sandbox.http.post(
            sandbox.url + "/send-sms", data=data, headers={**JSON, "Idempotency-Key": "k\x80é"}
        ) as response:
            assert response.status == 200
    async with sandbox.http.get(sandbox.url + "/ledger") as response:
        page = await response.text()
    assert all(character.isprintable() for character in page)
    assert "Grüße 🎉" in page
    calls = json.loads(page)["calls"]
    assert [call["body"] for call in calls] == [{"to": text}, raw.decode("latin-1")]


async def test_a_key_that_is_no_text_spoils_no_ledger(sandbox: Service) -> None:
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            b"POST /send-sms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"
        )
        await _called(sandbox)
    assert (await sandbox.get("/ledger"))[2]["calls"][0]["idempotency_key"] == "??"


async def _called(sandbox: Service) -> None:
    while not (await sandbox.get("/ledger?limit=1"))[2]["totals"]["calls"]:
        pass


def test_thirty_thousand_calls_take_a_few_megabytes() -> None:
    ledger = Ledger()
    for number in range(30_000):
        ledger.add(str(number), b"x" * 100, 200)
    totals = ledger.page(0, 1)["totals"]
    assert totals["calls"] == 30_000
    assert totals["kept"] == totals["keys"] <= KEEP / 500
    assert KEEP == 4 * 2**20, "as the page says"


def test_the_ledger_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    Ledger(file=file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)  # one of an older version
    Ledger(file=file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to(path.parent / "target"), "it is a link"),
        (
            lambda path: (path.parent / "other").touch() or path.hardlink_to(path.parent / "other"),
            "second name",
        ),
        (os.mkfifo, "No such device|not a regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/null"), "it is a link"),
    ],
    ids=["link", "hard link", "pipe", "folder", "link to a device"],
)
def test_a_ledger_file_that_is_not_ours_alone_is_refused(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    (tmp_path / "target").write_text("precious")
    make(tmp_path / "calls.jsonl")
    with pytest.raises(ConfigurationError, match=said):
        build_sandbox(file=tmp_path / "calls.jsonl")
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_ledger_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.touch()
    os.chown(file, 12_345, 12_345)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        Ledger(file=file)


@contextmanager
def _full_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_of_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "calls.jsonl"
    ledger = Ledger(file=file)
    caplog.set_level(logging.INFO, "streamq.sandbox")
    ledger.add("a", b"{}", 200)
    with _full_at(file.stat().st_size + 10):
        for _ in range(5):
            ledger.add("b", b"{}", 200)
    ledger.add("c", b"{}", 200)
    ledger.close()
    told = [record.getMessage() for record in caplog.records if record.name == "streamq.sandbox"]
    assert len(told) == 1
    assert "calls are missing in the ledger file" in told[0]
    assert ledger.page(0, 100)["totals"]["calls"] == 7
    lines = file.read_text().splitlines()
    assert [json.loads(lines[n])["idempotency_key"] for n in (0, -1)] == ["a", "c"]

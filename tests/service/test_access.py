"""Who may do what."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from streamq_service.app import ROUTES
from streamq_service.http.auth import Keys, Scope, check_binding
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError, is_loopback

from ..docs.markdown import typed
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
READER, WRITER, BOSS, PADDED = (
    "reader-0123456789",
    "writer-0123456789",
    "boss-0123456789ab",
    "cGFkZGVkIGtleSAxMg==",
)
KEYS = f"{READER}=read,{WRITER}=read+write,{BOSS}=admin,{PADDED}=admin"
HAVE = {READER: Scope.READ, WRITER: Scope.WRITE, BOSS: Scope.ADMIN, PADDED: Scope.ADMIN}


async def asked(service: Service, method: str, path: str, **headers: str) -> int:
    where = (
        path.replace("{queue}", "send-sms-queue")
        .replace("{id}", "1-0")
        .replace("{operation}", "send-sms-queue.1")
        .replace("{file}", "app.js")
        .replace("{group}", "66338")
        .replace("{name}", "x")
    )
    async with service.http.request(method, service.url + where, headers=headers) as response:
        return response.status


async def test_every_route_asks_for_its_scope(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        for method, path, needed in ((route.method, route.path, route.scope) for route in ROUTES):
            for key, have in HAVE.items():
                status = await asked(service, method, path, Authorization=f"Bearer {key}")
                assert (status == 403) is (needed is not None and have < needed), (method, path, key)
            for header in ("", "Bearer", "Bearer nobody", f"Basic {READER}", READER):
                status = await asked(service, method, path, Authorization=header)
                assert (status == 401) is (needed is not None), (method, path, header)


SIGNED = {"/api/v1/webhooks/sms", "/api/v1/webhooks/sms/{provider}", "/unsubscribe/{token}"}
"""What a signature lets in, and no key."""


async def test_what_is_open_tells_nothing_of_jobs() -> None:
    assert {route.path for route in ROUTES if route.scope is None} == {
        "/",
        "/static/{file}",
        "/health",
        "/ready",
        "/api/docs",
        "/api/v1/openapi.json",
        *SIGNED,
    }
    assert all(route.scope is None or route.scope >= Scope.WRITE for route in ROUTES if route.method != "GET")


def test_only_an_admin_steers_queues_and_empties_them() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.scope is Scope.ADMIN} == {
        ("PATCH", "/api/v1/queues/{queue}"),
        ("POST", "/api/v1/queues/{queue}/pause"),
        ("DELETE", "/api/v1/queues/{queue}"),
        ("POST", "/api/v1/queues/{queue}/resume"),
        ("POST", "/api/v1/queues/{queue}/purge"),
        ("POST", "/api/v1/queues/{queue}/drain"),
        ("PUT", "/api/v1/queues/{queue}/groups/{group}"),
        ("DELETE", "/api/v1/queues/{queue}/groups/{group}"),
        ("POST", "/api/v1/queues/{queue}/groups/{group}/pause"),
        ("POST", "/api/v1/queues/{queue}/groups/{group}/resume"),
        ("POST", "/api/v1/queues/{queue}/breaker/open"),
        ("POST", "/api/v1/queues/{queue}/breaker/close"),
        ("DELETE", "/api/v1/contacts"),
        ("PUT", "/api/v1/shared-limits/{name}"),
        ("DELETE", "/api/v1/shared-limits/{name}"),
        ("POST", "/api/v1/shared-limits/{name}/pause"),
        ("POST", "/api/v1/shared-limits/{name}/resume"),
        ("POST", "/api/v1/queues/{queue}/jobs/bulk"),
        ("POST", "/api/v1/operations/{operation}/cancel"),
        *(("POST", f"/api/v1/workers/{{id}}/{act}") for act in ("quiet", "resume", "stop")),
    }


async def test_a_refusal_says_what_is_needed(settings: Callable[..., ServiceSettings], start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        status, headers, problem = await service.get("/api/v1/queues")
        assert (status, headers["WWW-Authenticate"], problem["code"]) == (401, "Bearer", "unauthorized")
        _, _, problem = await service.post("/api/schedule-sms", {}, Authorization=f"Bearer {READER}")
        assert (problem["needed"], problem["have"]) == ("write", "read")
        assert READER not in str(problem)


async def test_the_kind_of_credentials_is_read_in_any_case(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(api_keys=f"{READER}=read")) as service:
        for kind, status in (("Bearer", 200), ("bearer", 200), ("BEARER", 200), ("Basic", 401)):
            assert await asked(service, "GET", "/api/v1/queues", Authorization=f"{kind} {READER}") == status


def test_without_keys_only_loopback_is_bound() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        check_binding(Keys(""), host)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com", ""):  # noqa: S104 - refused
        with pytest.raises(ConfigurationError, match="without API keys"):
            check_binding(Keys(""), host)
        check_binding(Keys(KEYS), host)


async def test_without_keys_a_foreign_page_cannot_reach_the_api(service: Service) -> None:
    assert await asked(service, "GET", "/api/v1/queues", Host="evil.example.com") == 403
    assert await asked(service, "POST", "/api/schedule-sms", **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await asked(service, "GET", "/api/v1/queues", **{"Sec-Fetch-Site": "same-origin"}) == 200


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("abcdefghijklmnop,EFGHijklmnopqrst=read", 1, "has no scope"),
        ("abcdefghijklmnop", 1, "has no scope"),
        ("abcdefghijklmnop=", 1, "has no scope"),
        ("cGFkZGVkIGtleSAxMg==", 1, "has no scope"),
        ("EFGHijklmnopqrst=read,abcdefghijklmnop=owner", 2, "unknown"),
        ("abcdefghijklmnop=read+", 1, "unknown"),
        ("abcdefghijklmnop=READ", 1, "unknown"),
        ("abcdefghijklmnop=read write", 1, "unknown"),
        ("=read", 1, "shorter than 16"),
        ("k=", 1, "has no scope"),
        ("k=admin", 1, "shorter than 16"),
        ("abcdefghijklmno=admin", 1, "shorter than 16"),
        ("abcdefgh ijklmnopq=admin", 1, "signs of ASCII"),
        ("abcdefghijklmnopü=admin", 1, "signs of ASCII"),
        ("abcdefghijklmnop=read,EFGHijklmnopqrst=read,abcdefghijklmnop=admin", 3, "same as key number 1"),
    ],
)
def test_keys_that_cannot_be_read_are_refused_and_named_by_their_number(
    text: str, number: int, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"key number {number} .*{said}") as refused:
        Keys(text)
    told = str(refused.value)
    assert not any(part in told for part in re.split("[,= ]", text) if len(part) > 5), told


@pytest.mark.parametrize("text", [",", " , \n", " "])
def test_keys_that_are_set_and_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="has no key"):
        Keys(text)


def test_a_key_may_end_in_equal_signs_and_the_last_one_is_before_the_scopes() -> None:
    keys = Keys(f"{PADDED}=read, abcdefghijklmnop=admin=read+write\nlinebyline-0123456=admin,\n")
    assert keys.scope(PADDED) is Scope.READ
    assert keys.scope("abcdefghijklmnop=admin") is Scope.WRITE
    assert keys.scope("linebyline-0123456") is Scope.ADMIN
    for wrong in (PADDED.rstrip("="), "abcdefghijklmnop", "abcdefghijklmnop=admin=read", "", "\udcff"):
        assert keys.scope(wrong) is None
    assert not Keys("")


def test_keys_in_a_file_follow_it_and_outlive_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{READER}=read\n")
    monkeypatch.setenv("STREAMQ_API_KEYS_FILE", str(file))
    monkeypatch.setattr("streamq_service.http.auth._LOOK", 0.0)
    keys = Keys.of(ServiceSettings())
    keys._next_look = 0.0
    file.write_text(f"{READER}=read\n{WRITER}=write\n")
    assert keys.scope(WRITER) is Scope.WRITE, "both count while callers change over"
    for broken in ("", f"{READER}=read\n{BOSS}", None):
        file.unlink() if broken is None else file.write_text(broken)
        assert (keys.scope(READER), keys.scope(BOSS)) == (Scope.READ, None)
        keys.scope(READER)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 3, "each trouble is told once"
    assert "key number 2" in caplog.text
    assert not any(key in caplog.text for key in (READER, WRITER, BOSS))
    file.write_text(f"{WRITER}=write\n")
    assert (keys.scope(READER), keys.scope(WRITER)) == (None, Scope.WRITE)


def test_a_key_is_rotated_by_the_commands_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "secrets" / "api_keys"
    file.write_text(f"{WRITER}=write\n")
    inode = file.stat().st_ino
    monkeypatch.setenv("STREAMQ_API_KEYS_FILE", str(file))
    monkeypatch.setattr("streamq_service.http.auth._LOOK", 0.0)
    keys = Keys.of(ServiceSettings())
    add, *remove = typed("docs/how-to/rotate-secrets.md", "API keys")
    subprocess.run(add, shell=True, cwd=tmp_path, check=True)  # noqa: S602  # as a reader does
    new = file.read_text().splitlines()[1].partition("=")[0]
    assert (keys.scope(WRITER), keys.scope(new)) == (Scope.WRITE, Scope.WRITE)
    subprocess.run("\n".join(remove), shell=True, cwd=tmp_path, check=True)  # noqa: S602
    assert (keys.scope(WRITER), keys.scope(new)) == (None, Scope.WRITE)
    assert file.stat().st_ino == inode, "a file that is mounted by itself must be written in place"


def test_the_file_of_keys_is_looked_at_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = [100.0], list[float]()
    monkeypatch.setattr("streamq_service.http.auth.monotonic", lambda: clock[0])
    keys = Keys("", lambda: looks.append(clock[0]) or "")  # type: ignore[func-returns-value]
    for clock[0] in (100.5, 100.9, 101.0, 101.5, 101.9, 102.0):
        keys.scope(WRITER)
    assert looks == [101.0, 102.0]


def test_a_name_that_only_looks_local_is_not() -> None:
    for name in ("localhost.example.com", "evillocalhost", "127.0.0.1.example.com", "128.0.0.1", "0"):
        assert not is_loopback(name)
    assert is_loopback("jobs.localhost")

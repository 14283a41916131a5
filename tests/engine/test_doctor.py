"""The doctor names the true cause: of each address, of refusals, of holes, of queues that nobody serves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.process import free_port
from streamq import App
from streamq.doctor import Finding, examine
from streamq.doctor import server as server_looks
from streamq.doctor.causes import cause_of
from streamq.doctor.doors import _is_unprotected, is_open_to_all
from streamq.doctor.holes import REDIS, VALKEY, open_in
from streamq.errors import Unavailable
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, shared_keys, until, working
from ..servers import Server

Own = Callable[..., Server]


async def examined(url: str, **settings: Any) -> dict[str, Finding]:
    """The findings by their codes, each with a remedy where it is not well."""
    async with App(redis_url=url, prefix="tdoctor", **{"connect_timeout": 1.0, **settings}) as app:
        findings = await examine(app)
    assert all(finding.remedy for finding in findings if finding.verdict != "ok")
    assert all(re.fullmatch(r"[a-z-]+", finding.code) for finding in findings)
    return {finding.code: finding for finding in findings}


@contextlib.asynccontextmanager
async def answering(said: bytes | None) -> AsyncIterator[str]:
    """A server of TCP that says one thing, or nothing at all."""
    writers = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if said is not None:
            writer.write(said)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


@ON_ONE_SERVER
async def test_each_address_of_a_list_has_a_finding_of_its_own(own_server: Own) -> None:
    primary, other = own_server(tcp=True), own_server(tcp=True, password="secret")
    replica = own_server(tcp=True, options=("--replicaof", "127.0.0.1", str(primary.port)))
    async with answering(None) as silent:
        addresses = [
            replica.url, f"redis://127.0.0.1:{free_port()}", "redis://no-such-host.invalid", f"redis://{silent}",
            primary.url, f"redis://:wrong@127.0.0.1:{other.port}", f"rediss://127.0.0.1:{primary.port}",
        ]  # fmt: skip
        found = await examined(",".join(addresses))
    told = {code: found[code].verdict for code in
            ("replica", "refused", "unknown-name", "silent", "reachable", "login-wrong", "tls-to-plain")}  # fmt: skip
    assert told == {
        "replica": "ok", "refused": "warn", "unknown-name": "warn", "silent": "warn", "reachable": "ok",
        "login-wrong": "fail", "tls-to-plain": "warn",
    }  # fmt: skip
    assert "wrong" not in found["login-wrong"].said.partition(": ")[0], "no password is shown"


async def test_the_command_prints_codes_and_ends_with_1_when_something_fails(tmp_path: Path) -> None:
    words = ["-m", "streamq", "doctor", "--json", "--redis-url", f"unix://{tmp_path}/none"]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    (finding,) = json.loads(said)["findings"]
    assert (process.returncode, finding["code"], finding["verdict"]) == (1, "no-socket", "fail")
    assert set(finding) == {"check", "code", "verdict", "said", "remedy"}


@ON_ONE_SERVER
async def test_two_servers_of_their_own_in_one_list_are_a_failure(own_server: Own) -> None:
    found = await examined(f"{own_server(tcp=True).url},{own_server(tcp=True).url}")
    assert found["two-servers"].verdict == "fail"


@ON_ONE_SERVER
async def test_what_a_server_refuses_is_told_by_its_true_cause(own_server: Own) -> None:
    server = own_server(tcp=True, password="secret", options=("--maxclients", "40"))
    url = server.url
    assert "login-missing" in await examined(f"redis://127.0.0.1:{server.port}")
    assert "login-wrong" in await examined(f"redis://:nope@127.0.0.1:{server.port}")
    with server.client() as client:
        client.config_set("maxmemory", 1)
        assert (await examined(url))["out-of-memory"].verdict == "fail"
        client.config_set("maxmemory", 0)
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        assert "read-only" in await examined(url)
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.config_set("save", "3600 1")
        client.set("x", 1)
        (server.directory / "dump.rdb").mkdir()
        client.bgsave()
        await until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        said = (await examined(url))["no-snapshot"]
        assert (said.verdict, "disk" in said.remedy) == ("fail", True)
        client.acl_setuser(
            "narrow", True, passwords=["+pw"], keys=["tdoctor:*"], commands=["+@all", "-xack", "-xdel"]
        )
    with server.client() as client:
        client.config_set("stop-writes-on-bgsave-error", "no")
        missing = (await examined(f"redis://narrow:pw@127.0.0.1:{server.port}"))["right-missing"]
        assert "XACK, XDEL" in missing.said
        assert "ACL SETUSER narrow +xack +xdel" in missing.remedy
        client.acl_setuser(
            "blind", True, passwords=["+pw"], keys=["*"], channels=["*"], commands=["+@all", "-client|list"]
        )
        blind = (await examined(f"redis://blind:pw@127.0.0.1:{server.port}"))["no-client-list"]
        assert (blind.verdict, "found by its lease" in blind.said) == ("warn", True)
        client.acl_setuser("elsewhere", True, passwords=["+pw"], keys=["other:*"], commands=["+@all"])
        assert (
            "tdoctor:*"
            in (await examined(f"redis://elsewhere:pw@127.0.0.1:{server.port}"))["keys-missing"].said
        )
        client.config_set("maxclients", 1)
        assert "too-many-clients" in await examined(url)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            b"-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
            "protected-mode",
        ),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-BUSY Redis is busy running a script\r\n", "busy"),
        (b"-CLUSTERDOWN Hash slot not served\r\n", "cluster-down"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not-a-server"),
        (b"", "closed"),
        (None, "silent"),
    ],
)
async def test_what_answers_is_told_apart(said: bytes | None, code: str) -> None:
    async with answering(said) as address:
        found = await examined(f"redis://{address}", connect_timeout=0.3)
    assert list(found) == [code]


@ON_ONE_SERVER
async def test_a_node_of_a_cluster_is_refused(own_server: Own) -> None:
    server = own_server(tcp=True, options=("--cluster-enabled", "yes", "--cluster-port", str(free_port())))
    assert list(await examined(server.url)) == ["wrong-kind"]


async def test_a_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert list(await examined(f"unix://{tmp_path}/none")) == ["no-socket"]


# -- TLS -----------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", str(key), "-out", str(cert), "-days", "1", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name}"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    return key, cert


def expired(folder: Path, key: Path) -> Path:
    """A certificate of the same key for a day of the year 2020."""
    settings, request, cert = folder / "ca.cnf", folder / "old.csr", folder / "old.crt"
    settings.write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n"
        "x509_extensions=e\n[p]\ncommonName=supplied\n"
        "[e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n"  # Python 3.13 asks for them
    )
    (folder / "index").touch()
    for made in (
        ["req", "-new", "-key", str(key), "-subj", "/CN=localhost", "-out", str(request)],
        ["ca", "-config", str(settings), "-selfsign", "-keyfile", str(key), "-in", str(request), "-out", str(cert),
         "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-batch", "-notext"],
    ):  # fmt: skip
        subprocess.run(["openssl", *made], check=True, capture_output=True, cwd=folder)
    return cert


@contextlib.asynccontextmanager
async def speaking_tls(key: Path, cert: Path) -> AsyncIterator[int]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(1000):
                writer.write(b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.sleep(0.05)


async def test_what_is_wrong_with_a_certificate_is_told_apart(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, "localhost")
    async with speaking_tls(key, cert) as port:
        assert "tls-untrusted" in await examined(f"rediss://localhost:{port}")
        assert "tls-wrong-host" in await examined(f"rediss://127.0.0.1:{port}", redis_ca=cert)
        assert "plain-to-tls" in await examined(f"redis://127.0.0.1:{port}")
    old = expired(tmp_path, key)
    async with speaking_tls(key, old) as port:
        assert "tls-expired" in await examined(f"rediss://localhost:{port}", redis_ca=old)


# -- holes and doors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "version", "advisories"),
    [
        ("Redis", "7.0.14", ["CVE-2023-41056", "CVE-2025-49844", "CVE-2026-81934"]),
        ("Redis", "7.2.10", ["CVE-2025-49844", "CVE-2026-23479", "CVE-2026-81934"]),
        ("Redis", "7.4.9", ["CVE-2026-81934"]),
        ("Redis", "8.2.2", ["CVE-2025-62507", "CVE-2026-23479", "CVE-2026-81934"]),
        ("Redis", "8.10.1", []),
        ("Redis", "9.0.0", []),
        ("Valkey", "8.1.3", ["CVE-2025-49844", "CVE-2025-67733", "CVE-2026-56684"]),
        ("Valkey", "7.2.12", []),
        ("Valkey", "9.1.1", []),
        ("Redis", "unknown", []),
    ],
)
def test_the_holes_of_a_version_are_known(product: str, version: str, advisories: list[str]) -> None:
    assert [hole.advisory for hole in open_in(product, version)] == advisories


@pytest.mark.parametrize(
    ("version", "code"), [("6.2.14", "too-old"), ("7.0.0", "version"), ("8.2.2", "version")]
)
def test_a_server_older_than_7_0_is_too_old(version: str, code: str) -> None:
    assert server_looks._version({"redis_version": version}).code == code


def test_the_table_of_holes_names_versions_of_the_branch_or_of_a_newer_one() -> None:
    for hole in (*REDIS, *VALKEY):
        for branch, fixed in hole.fixed.items():
            assert server_looks.version_in(fixed)[:2] >= server_looks.version_in(branch)
            assert len(server_looks.version_in(fixed)) == 3


def test_a_public_address_is_told_from_a_private_one() -> None:
    told = {
        text: is_open_to_all([ipaddress.ip_address(text)])
        for text in ("10.1.2.3", "127.0.0.1", "8.8.8.8", "::1")
    }
    assert told == {"10.1.2.3": False, "127.0.0.1": False, "8.8.8.8": True, "::1": False}


@pytest.mark.parametrize(
    ("changed", "open_"),
    [({}, True), ({"requirepass": "x"}, False), ({"bind": "127.0.0.1 -::1"}, False), ({"port": "0"}, False),
     ({"protected-mode": "yes"}, False)],
)  # fmt: skip
def test_a_server_without_protection_is_noticed(changed: dict[str, str], open_: bool) -> None:
    told = {"protected-mode": "no", "requirepass": "", "port": "6379", "bind": "* -::*", **changed}
    assert _is_unprotected(told) is open_


@ON_ONE_SERVER
async def test_what_a_server_opens_to_others_is_told(own_server: Own) -> None:
    server = own_server(tcp=True, options=("--enable-debug-command", "yes"))
    assert (await examined(server.url))["debug-command"].verdict == "warn"


def own_address() -> str:
    """An address of this machine that is not the loopback's; empty when it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address


@ON_ONE_SERVER
async def test_a_server_on_the_network_without_a_password_or_with_the_default_user_is_told(
    own_server: Own,
) -> None:
    address = own_address()
    if not address:
        pytest.skip("this machine has no network")
    server = own_server(tcp=True, options=("--bind", "0.0.0.0", "--protected-mode", "no"))  # noqa: S104  # the case
    found = await examined(f"redis://{address}:{server.port}")
    assert {"no-password", "default-user", "protected-mode-off"} <= set(found)
    with server.client() as client:
        client.config_set("protected-mode", "yes")
        assert "protected-mode" in await examined(f"redis://{address}:{server.port}"), (
            "the server's own words"
        )
        rights = ["+@read", "+@write", "+@scripting", "+@connection", "+@pubsub", "+@transaction"]
        rights += ["+info", "+time", "+wait"]
        rules = ["on", ">pw", "~tdoctor:*", "&tdoctor:*", "-@all", *rights]
        client.execute_command("ACL", "SETUSER", "streamq", *rules)
        client.config_set("requirepass", "secret")
    found = await examined(f"redis://streamq:pw@{address}:{server.port}")
    assert {"doors", "rights"} <= set(found), "the documented user has all it needs, and nothing stands open"


# -- work ----------------------------------------------------------------------------------------------------


@ON_ONE_SERVER
async def test_500_jobs_that_nobody_serves_are_a_failure_until_a_worker_comes(app: App) -> None:
    await app.enqueue_many("sms", "t", range(500), delay=None)
    (said,) = [finding for finding in await examine(app) if finding.code == "queue-unserved"]
    assert (said.verdict, said.said) == ("fail", "500 jobs wait on 'sms' and no worker serves it")
    assert "streamq worker APP" in said.remedy
    app.task(name="other", queue="sms")(lambda x: x)
    async with working(app):
        await until(app.workers)
        codes = {finding.code for finding in await examine(app)}
        (worker,) = await app.workers()
        await app.worker(worker.name).quiet()
        await until(lambda: _is_quiet(app))
        await app.enqueue("sms", "t", 1)
        (said,) = [finding for finding in await examine(app) if finding.code == "queue-unserved"]
    assert "queue-unserved" not in codes
    assert "no worker serves it" not in said.said
    assert f"its workers take no new jobs ({worker.name})" in said.said
    assert f"streamq workers resume {worker.name}" in said.remedy


async def _is_quiet(app: App) -> bool:
    return all(worker.load is not None and worker.load.state == "quiet" for worker in await app.workers())


@ON_ONE_SERVER
async def test_delayed_jobs_that_nobody_promotes_are_a_failure(
    app: App, client: redis.Redis, prefix: str
) -> None:
    job = await app.enqueue("sms", "t", 1, delay=60)
    client.zadd(Keys(prefix, "sms").delayed, {job.id: 1_000})
    (said,) = [finding for finding in await examine(app) if finding.code == "delayed-unpromoted"]
    assert said.verdict == "fail"
    assert "streamq scheduler" in said.remedy
    client.set(Keys(prefix, "sms").seats(1)[0], "scheduler-x", px=30_000)
    assert "delayed-unpromoted" not in {finding.code for finding in await examine(app)}


@ON_ONE_SERVER
async def test_a_name_that_names_no_queue_is_told_with_how_to_remove_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    client.sadd(shared_keys(prefix).queues, b"../x", b"a b", b"\xff", b"q" * 10_000, "__proto__")
    (said,) = [finding for finding in await examine(app) if finding.check == "names"]
    assert said.verdict == "warn"
    assert f"redis-cli SREM {shared_keys(prefix).queues} ../x 'a b' $'\\377'; or" in said.remedy
    assert len(said.said) + len(said.remedy) < 1_000
    await examine(app, repair=True)
    assert client.smembers(shared_keys(prefix).queues) == {"__proto__"}


def test_an_error_of_no_known_kind_is_told_as_it_is() -> None:
    assert cause_of(Unavailable("something else")).said == "something else"


@ON_ONE_SERVER
async def test_a_misspelt_setting_is_a_warning_with_the_one_that_may_be_meant(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMQ_CONCURENCY", "4")
    odd = (await examined(server_url))["odd-setting"]
    assert (odd.verdict, odd.remedy) == ("warn", "did you mean STREAMQ_CONCURRENCY?")

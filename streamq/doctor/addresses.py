"""Each address of the list, one finding each: its answer, or why there is none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from streamq.doctor import causes
from streamq.doctor.causes import Cause, cause_of
from streamq.doctor.finding import Finding, Verdict
from streamq.errors import Rejected
from streamq.redis.probe import probe
from streamq.redis.replies import greeting_in
from streamq.redis.server import Search, Server
from streamq.redis.wire import drop
from streamq.settings.location import Location

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Met:
    """The result for an address. ``cause`` says why it cannot be used; ``None`` when it can."""

    name: str
    address: Location | None = None
    cause: Cause | None = None
    answers: bool = False
    """It can be read from, though it may not take jobs."""
    replica: bool = False
    run_id: str = ""
    seconds: float = 0.0


async def look_at_each(server: Server) -> list[Met]:
    """What each address of a server answers, all at once. Takes three connect timeouts at most."""
    return list(await asyncio.gather(*[_at(server, place) for place in server.places]))


async def _at(server: Server, place: Location) -> Met:
    """What is met at a place: at the address itself, or at the one that a Sentinel names."""
    search, timeout = Search(), server.settings.connect_timeout
    try:
        async with asyncio.timeout(timeout):
            address = await server.where(place, search)
    except Exception as error:
        return Met(f"Sentinel {place}", cause=cause_of(error))
    if address is None:
        return Met("a Sentinel", cause=causes.sentinel(str(search.unsuccessful())))
    name = str(address) if address == place else f"{address} (named by {place})"
    met = await _met(server, server.connection(address, "streamq-doctor"), Met(name, address))
    if met.cause and met.cause.code in _UNREACHED and server.announced:
        met = replace(met, cause=met.cause._replace(remedy=server.announced))
    return met


async def _met(server: Server, connection: Any, met: Met) -> Met:
    timeout = server.settings.connect_timeout
    try:
        async with asyncio.timeout(timeout):
            await connection.connect()
            met = await _asked(server, connection, met)
    except Exception as error:
        cause = cause_of(error)
        met = replace(met, cause=cause, answers=cause.code in _ANSWERS)
    finally:
        await drop(connection)
    if met.cause and not met.answers and hasattr(connection, "host"):
        met = replace(met, cause=await _looked_into(met.cause, connection, timeout))
    return met


_UNREACHED: Final = {"refused", "timeout", "unknown-name", "unreachable", "silent", "failed"}
"""Causes under which there is nobody at the address."""
_ANSWERS: Final = {"no-snapshot", "out-of-memory", "read-only"}
"""Causes under which a server still reads."""


async def _asked(server: Server, connection: Any, met: Met) -> Met:
    """Ask a server that we are connected to. Raises its refusal."""
    told = await probe(connection)
    met = replace(met, seconds=told.seconds, replica=greeting_in(told.hello).is_replica)
    try:
        server.objection(told.hello)
    except Rejected as error:
        return replace(met, cause=Cause("wrong-kind", str(error), "correct STREAMQ_REDIS_URL"))
    met = replace(met, run_id=told.info.get("run_id", ""), answers=True)
    if told.refusal is not None:
        cause = cause_of(told.refusal)
        return replace(met, cause=cause, answers=cause.code in _ANSWERS)
    return met


# -- what a failure does not tell by itself ------------------------------------------------------------------


async def _looked_into(cause: Cause, connection: Any, timeout: float) -> Cause:
    """The cause, or a better one that two more connections show: only one side uses TLS."""
    if cause.code not in ("timeout", "closed", "not-a-server", "tls-failed"):
        return cause
    host, port = connection.host, connection.port
    if type(connection).__name__.startswith("SSL"):
        if await _within(timeout, _speaks_plainly(host, port)):
            return causes.TLS_TO_PLAIN
    elif await _within(timeout, _speaks_tls(host, port)):
        return causes.PLAIN_TO_TLS
    if cause.code == "timeout" and await _within(timeout, _connects(host, port)):
        return causes.SILENT
    return cause


async def _within(timeout: float, question: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(min(timeout, 1.0)):
            return await question
    except (OSError, TimeoutError):  # no
        return False


async def _connects(host: str, port: int, tls: ssl.SSLContext | None = None) -> bool:
    _, writer = await asyncio.open_connection(host, port, ssl=tls)
    writer.transport.abort()
    return True


async def _speaks_tls(host: str, port: int) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # nothing is sent: the question is whether there is TLS at all
    return await _connects(host, port, anybody)


async def _speaks_plainly(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    with contextlib.closing(writer.transport):
        writer.write(b"PING\r\n")
        return (await reader.read(1)) in (b"+", b"-")


# -- what is said of it --------------------------------------------------------------------------------------


def findings_of(met: Sequence[Met]) -> list[Finding]:
    """One finding for each address, and one more where two of them are servers of their own."""
    primaries = {each.run_id for each in met if each.answers and not each.replica and each.run_id}
    served = any(each.cause is None and not each.replica for each in met)
    findings = [_finding(each, alone=len(met) == 1, served=served) for each in met]
    if len(primaries) > 1:
        findings.append(
            Finding(
                "reachable", "two-servers", "fail",
                f"{len(primaries)} addresses of the list lead to servers of their own: each holds a part of the jobs",
                "list only ways to one server and to its replicas",
            )
        )  # fmt: skip
    return findings


def _finding(met: Met, *, alone: bool, served: bool) -> Finding:
    if met.replica and not alone and (met.cause is None or met.cause.code == "read-only"):
        verdict: Verdict = "ok" if served else "fail"
        remedy = "" if served else "name the primary, or promote this one: REPLICAOF NO ONE"
        said = f"{met.name} is a replica: passed over until it is promoted"
        return Finding("reachable", "replica", verdict, said, remedy)
    if met.cause is None:
        return Finding("reachable", "reachable", "ok", f"{met.name} answers in {met.seconds * 1000:.1f} ms")
    # a wrong login fails even when a later address works, as the search for a server ends there
    fatal = not served or met.cause.code.startswith(("login", "no-snapshot", "out-of-memory"))
    said = f"{met.name}: {met.cause.said}"
    return Finding("reachable", met.cause.code, "fail" if fatal else "warn", said, met.cause.remedy)

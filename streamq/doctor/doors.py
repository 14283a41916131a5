"""Who else may come in: passwords, users, encryption, and settings that open more than they should."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any, Final

from streamq.doctor.finding import Finding, Patient
from streamq.doctor.server import whoami
from streamq.errors import Rejected
from streamq.settings.location import is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOW_TO_MAKE_A_USER: Final = (
    "make one of its own: ACL SETUSER streamq on '>PASSWORD' '~sq:*' '&sq:*' -@all +@read +@write +@scripting "
    "+@connection +@pubsub +info +time +wait, and set STREAMQ_REDIS_USERNAME and STREAMQ_REDIS_PASSWORD"
)


async def look(patient: Patient) -> list[Finding]:
    """Open ways in. On a socket or a loopback address no password is needed."""
    findings = []
    store = patient.app.client.store
    for address, server in patient.reached.items():
        findings += await _of_address(server.connection(address, "streamq-doctor"), str(address))
    user = await whoami(patient)
    beyond = any(finding.code != "local" for finding in findings)
    findings = [finding for finding in findings if finding.code not in ("local", "beyond")]
    if beyond and user == "default" and await store.server.may_do_everything():
        said = "it is used over a network as the default user, who may run every command, also SHUTDOWN and CONFIG"
        findings.append(Finding("doors", "default-user", "warn", said, HOW_TO_MAKE_A_USER))
    findings += await _settings(patient)
    return findings or [Finding("doors", "doors", "ok", f"logged in as {user!r}; nothing stands open")]


async def _of_address(connection: Any, name: str) -> list[Finding]:
    host = getattr(connection, "host", None)
    reached = await addresses_of(host) if host else []
    if all(is_loopback(str(address)) for address in reached):
        return [Finding("doors", "local", "ok", name)]
    findings = [Finding("doors", "beyond", "ok", name)]
    if not connection.password:
        said = f"{name} is reached over a network, and it wants no password"
        findings.append(Finding("doors", "no-password", "warn", said, HOW_TO_MAKE_A_USER))
    if is_open_to_all(reached) and not type(connection).__name__.startswith("SSL"):
        said = f"{name} is a public address and is spoken to without TLS: jobs and password can be read on the way"
        remedy = "set up TLS and write rediss://, or use an address inside your network"
        findings.append(Finding("doors", "not-encrypted", "warn", said, remedy))
    return findings


async def addresses_of(host: str) -> list[Address]:
    """The addresses of a host; none when its name is not known."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def is_open_to_all(addresses: list[Address]) -> bool:
    """Whether one of them is routed over the internet."""
    return any(address.is_global for address in addresses)


async def _settings(patient: Patient) -> list[Finding]:
    """Settings of the server, where our user may read them; it is better when it may not."""
    try:
        settings = await patient.app.client.store.server.settings(
            "protected-mode", "enable-debug-command", "port", "bind", "requirepass"
        )
    except Rejected:
        return []
    findings = []
    if _is_unprotected(settings):
        said = "protected-mode is off, the default user has no password, and the server listens to other machines"
        remedy = "set requirepass, or protected-mode yes, or bind 127.0.0.1"
        findings.append(Finding("doors", "protected-mode-off", "warn", said, remedy))
    if (debug := settings.get("enable-debug-command", "no")) != "no":
        said = f"enable-debug-command is {debug}: a client can end the server or make it hang"
        findings.append(Finding("doors", "debug-command", "warn", said, "set enable-debug-command no"))
    return findings


def _is_unprotected(settings: dict[str, str]) -> bool:
    bound = [
        name.removeprefix("-") for name in settings.get("bind", "").split()
    ]  # "-": where the host has it
    open_to_others = settings.get("port", "0") != "0" and not (bound and all(map(is_loopback, bound)))
    return settings.get("protected-mode") == "no" and not settings.get("requirepass") and open_to_others

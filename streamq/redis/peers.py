"""Who listens at a unix socket: for an embedded server it must be a process of our own user.

An address that ends in ``#own-user`` asks for that, on every connection that is made to it, before anything is sent.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from typing import Any

import redis.connection as threaded
from redis.asyncio import connection as aio

from streamq.errors import Rejected


def stranger_at(end: Any) -> str:
    """What is wrong with the other end of a connected unix socket: it is another user's process; or nothing, ``""``.

    The kernel says who that is. Where it cannot (neither Linux, macOS nor FreeBSD), the folder's owner must do.
    """
    uid = _peer_uid(end)
    if uid is None or uid == os.geteuid():
        return ""
    return (
        f"what listens at {end.getpeername()} is run by {whose(uid)}, not by {whose(os.geteuid())}: nothing was sent. "
        "Find out who put it there, or set STREAMQ_REDIS_URL to the server that is meant"
    )


def whose(uid: int) -> str:
    """``user ada (1000)``, for people to read."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return f"user {uid}"


def _peer_uid(end: Any) -> int | None:
    if hasattr(socket, "SO_PEERCRED"):  # Linux
        _, uid, _ = struct.unpack("iII", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(uid)
    if sys.platform in ("darwin", "freebsd"):
        said = end.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED, the size of a struct xucred
        return int(struct.unpack_from("II", said)[1])
    return None


def _refuse_stranger(end: Any) -> None:
    problem = stranger_at(end)
    if problem:
        raise Rejected(problem)


class OwnUserConnection(aio.UnixDomainSocketConnection):
    """A connection for the event loop that greets no stranger."""

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Look before the greeting, which may contain a password."""
        writer = self._writer
        if writer is not None:
            _refuse_stranger(writer.get_extra_info("socket"))
        await super().on_connect_check_health(check_health)


class OwnUserThreadedConnection(threaded.UnixDomainSocketConnection):
    """The same for a thread."""

    def _connect(self) -> socket.socket:
        end: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        try:
            _refuse_stranger(end)
        except BaseException:
            end.close()
            raise
        return end

"""Causes for which a server does not serve us: each with a stable code and what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple

from streamq.redis.answers import translate


class Cause(NamedTuple):
    """A cause: its stable code, its description, and what to do."""

    code: str
    said: str
    remedy: str


_SAID_BY_SERVER: Final[tuple[tuple[str, Cause], ...]] = (
    ("max number of clients", Cause(
        "too-many-clients", "it has as many clients as it takes",
        "raise maxclients on the server, or end clients: CLIENT LIST names them",
    )),
    ("DENIED", Cause(
        "protected-mode", "it is in protected mode: it answers no other machine while it has no password",
        "give it a password or a user (ACL SETUSER), and set STREAMQ_REDIS_PASSWORD; leave the mode on",
    )),
    ("Authentication required", Cause(
        "login-missing", "it wants a login, and none is given",
        "set STREAMQ_REDIS_PASSWORD, and STREAMQ_REDIS_USERNAME for a user of an ACL",
    )),
    ("without any password", Cause(
        "login-not-wanted", "a password is given, and the server's default user has none",
        "set requirepass or make a user on the server; or take the password out of the address",
    )),
    ("WRONGPASS", Cause(
        "login-wrong", "it refuses the login: wrong user or password, or the user is off",
        "correct STREAMQ_REDIS_USERNAME and STREAMQ_REDIS_PASSWORD, or what stands in the address",
    )),
    ("MISCONF", Cause(
        "no-snapshot", "it refuses every write, as it could not save its data (stop-writes-on-bgsave-error)",
        "make room on the server's disk and see to its rights there: its log says what failed; then BGSAVE",
    )),
    ("OOM", Cause(
        "out-of-memory", "it refuses new jobs, as it is at its maxmemory",
        "raise maxmemory, shorten the retention, or let workers drain the queues",
    )),
    ("READONLY", Cause(
        "read-only", "it is a replica, which takes no writes",
        "name the primary in STREAMQ_REDIS_URL, and the replica after it",
    )),
    ("MASTERDOWN", Cause(
        "read-only", "it is a replica that has lost its primary",
        "repair the primary, or promote this one: REPLICAOF NO ONE",
    )),
    ("LOADING", Cause("loading", "it loads its data and answers when it is done", "wait for it")),
    ("CLUSTERDOWN", Cause(
        "cluster-down", "its cluster does not serve all slots",
        "let each slot have a primary that the others reach: CLUSTER INFO and CLUSTER NODES say what is missing",
    )),
    ("BUSY", Cause(
        "busy", "a script of somebody runs too long, and nobody is served meanwhile", "wait for it, or SCRIPT KILL",
    )),
)  # fmt: skip
"""By a part of the server's error."""

_SAID_BY_TLS: Final[tuple[tuple[str, Cause], ...]] = (
    ("certificate has expired", Cause(
        "tls-expired", "its certificate has expired", "renew the server's certificate",
    )),
    ("not yet valid", Cause(
        "tls-not-yet-valid", "its certificate is not valid yet", "correct the clock that is wrong, or the certificate",
    )),
    ("ostname mismatch", Cause(
        "tls-wrong-host", "its certificate is for another host",
        "use the host name of the certificate in the address, or make a certificate for this one",
    )),
    ("IP address mismatch", Cause(
        "tls-wrong-host", "its certificate is for another host",
        "use the host name of the certificate in the address, or make a certificate for this one",
    )),
    ("certificate verify failed", Cause(
        "tls-untrusted", "its certificate is of an authority that is not trusted here",
        "name the authority's file in STREAMQ_REDIS_CA",
    )),
    ("certificate required", Cause(
        "tls-client-certificate", "it wants a certificate from its clients, and streamq sends none",
        "set tls-auth-clients no on the server, and let users log in with a password",
    )),
)  # fmt: skip

TLS_TO_PLAIN: Final = Cause(
    "tls-to-plain", "it is spoken to in TLS and does not speak it", "write redis:// instead of rediss://"
)
PLAIN_TO_TLS: Final = Cause(
    "plain-to-tls", "it speaks TLS and is spoken to without", "write rediss:// instead of redis://"
)
SILENT: Final = Cause(
    "silent",
    "it takes the connection and does not answer",
    "look whether the server hangs, and what listens there",
)
TIMEOUT: Final = Cause(
    "timeout",
    "nothing answers there: the packets are lost",
    "look at firewalls, the port and the network between",
)


def sentinel(said: str) -> Cause:
    """Why a Sentinel does not lead to a server."""
    return Cause(
        "sentinel",
        said,
        "correct the Sentinels or the name in STREAMQ_REDIS_URL: SENTINEL MASTERS lists the names",
    )


_REFUSED: Final = Cause(
    "refused", "nothing listens there", "start it with `streamq up`, or correct STREAMQ_REDIS_URL"
)
_UNKNOWN_NAME: Final = Cause(
    "unknown-name",
    "its host name is not known here",
    "correct the host in STREAMQ_REDIS_URL, or look at the DNS",
)
_CLOSED: Final = Cause(
    "closed", "it closes the connection without an answer", "look at the server's log, and what listens there"
)
_NOT_REDIS: Final = Cause(
    "not-a-server", "what answers there is no Redis and no Valkey", "correct the port in STREAMQ_REDIS_URL"
)
_BY_KIND: Final[tuple[tuple[type[BaseException], Cause], ...]] = (
    (socket.gaierror, _UNKNOWN_NAME),
    (ConnectionRefusedError, _REFUSED),
    (FileNotFoundError, Cause(
        "no-socket", "there is no such socket", "start it with `streamq up`, or correct STREAMQ_REDIS_URL",
    )),
    (PermissionError, Cause(
        "socket-forbidden", "the rights of its socket do not let us in",
        "run as the user or in the group that the socket belongs to",
    )),
    (ConnectionResetError, _CLOSED),
    (TimeoutError, TIMEOUT),
)  # fmt: skip
_BY_NUMBER: Final = {
    errno.ECONNREFUSED: _REFUSED,
    errno.EHOSTUNREACH: Cause("unreachable", "no way leads to its host", "look at the network between"),
    errno.ENETUNREACH: Cause("unreachable", "no way leads to its network", "look at the network between"),
}
_BY_WORDS: Final = (
    ("Connect call failed", _REFUSED),
    ("closed by server", _CLOSED),
    ("Protocol error", _NOT_REDIS),
    ("Protocol Error", _NOT_REDIS),
    ("Timeout", TIMEOUT),
)


def cause_of(error: BaseException) -> Cause:
    """The true cause of an error that was met on the way to a server."""
    chain = list(_chain(error))
    texts = [str(each) for each in chain]
    if cause := _said_by_server(error, texts):
        return cause
    cause = next((found for each in chain if (found := _of_tls(each) or _of_system(each))), None)
    cause = cause or _among(_BY_WORDS, texts)
    return cause or Cause("failed", texts[0] or type(error).__name__, "look at the server's log")


def _of_tls(error: BaseException) -> Cause | None:
    if not isinstance(error, ssl.SSLError):
        return None
    failed = Cause(
        "tls-failed", f"TLS fails with it: {error.reason or error}", "look at the server's TLS settings"
    )
    return _among(_SAID_BY_TLS, [str(error)]) or failed


def _of_system(error: BaseException) -> Cause | None:
    for kind, cause in _BY_KIND:
        if isinstance(error, kind):
            return cause
    return _BY_NUMBER.get(error.errno or 0) if isinstance(error, OSError) else None


def _said_by_server(error: BaseException, texts: list[str]) -> Cause | None:
    told = str(translate(error, sent=False)) if isinstance(error, Exception) else ""
    if "NOPERM" in told or "no permissions to" in told or "No permissions to" in told:
        said = told.partition("NOPERM")[2].strip() or told
        return Cause(
            "right-missing",
            f"a right is missing: {said}",
            "give the user the rights of docs/how-to/connect.md",
        )
    if "cannot reach the server" in told and not any(
        "max number" in text or "DENIED" in text for text in texts
    ):
        return None
    return _among(_SAID_BY_SERVER, [told, *texts])


def _among(table: tuple[tuple[str, Cause], ...], texts: list[str]) -> Cause | None:
    for word, cause in table:
        if any(word in text for text in texts):
            return cause
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its cause or context, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__

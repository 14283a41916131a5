"""The address of a server as people write it: read without a guess, and shown without a secret.

    redis://[user:password@]host[:port][/number][?option=value&…]       rediss:// the same over TLS
    unix://[user:password@]/path/of/the/socket[?option=value&…][#own-user]
    redis+sentinel://[user:password@]host[:port],…/name[/number][?option=value&…]
                                                                        rediss+sentinel:// the same over TLS
    redis+cluster://[user:password@]host[:port],…[?option=value&…]      rediss+cluster:// the same over TLS

The hosts before a name are Sentinels, and name is what they call the servers that they watch; the login is that of
these servers. The hosts of a cluster are any of its nodes, which know the others.

The fragment of a socket demands that the connecting user also runs the server, as in the embedded server's address.
Other clients ignore a fragment, so the address is one for them too.

An address that this grammar does not take is refused and shown as ``redis://…``. A parser that guesses would take a
piece of an unescaped password for a host, and then name it in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final, Literal
from urllib.parse import unquote

_HOST: Final = (
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])"
)
_PLACE: Final = re.compile(_HOST + r"(?::(?P<port>[0-9]{1,5}))?")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""What Sentinel takes for a name of what it watches."""
_START: Final = re.compile(r"(unix(?=:)|rediss?)(?:\+(sentinel|cluster))?://", re.IGNORECASE)
_WEB: Final = re.compile(r"(https?)://", re.IGNORECASE)
_BETWEEN: Final = re.compile(
    r"(?:\s*,)+\s*(?=(?:rediss?(?:\+(?:sentinel|cluster))?|unix)://|\Z)", re.IGNORECASE
)
_LAST_PORT: Final = 65_535
"""A port has 16 bits."""

_TRUE: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TLS: Final = frozenset({
    "ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile",
    "ssl_password", "ssl_ciphers",
})  # fmt: skip
_LOGIN: Final = frozenset({"db", "username", "password"})

OWN_USER: Final = "#own-user"
"""Ends the address of a socket whose server must be run by the user that connects."""

ENCODE: Final = (
    "in a user or password `/` must be written %2F, `?` %3F, `#` %23, `@` %40 and `%` %25, "
    "or the password put in STREAMQ_REDIS_PASSWORD"
)
"""The advice for an address that cannot be read: mostly its password is not percent-encoded."""


Place = tuple[str, int | None]
"""A host and its port, or ``None`` for the usual one."""

Through = Literal["", "sentinel", "cluster"]
ALLOWED: Final = "redis://, rediss:// or unix://, or redis+sentinel:// or redis+cluster://"


@dataclass(frozen=True, slots=True)
class Location:
    """One address, parsed. ``str`` of it is safe to show."""

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    db: int | None = None
    own_user: bool = False
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    through: Through = ""
    """Who knows where the servers are, where it is not the address itself: then it has no host yet."""
    hosts: tuple[Place, ...] = ()
    """Whom to ask for them."""
    service: str = ""
    """What Sentinels call them."""

    def __str__(self) -> str:
        if self.through:
            parts = [
                ",".join(map(_written, self.hosts)),
                self.service,
                "" if self.db is None else str(self.db),
            ]
            return f"{self.scheme}+{self.through}://{'/'.join(filter(None, parts))}"
        place = self.path or _written((self.host, self.port))
        number = "" if self.db is None else f"?db={self.db}" if self.path else f"/{self.db}"
        return f"{self.scheme}://{place}{number}"


def locations(text: str) -> tuple[Location, ...]:
    """The addresses of a list. A comma ends an address only where a scheme follows: a password may have one.

    Raises ``ValueError`` with a sentence that names no part of the address.
    """
    parts = _parts(text)
    if len(parts) == 1:
        return (location(parts[0]),)
    read: list[Location] = []
    for number, part in enumerate(parts, start=1):
        try:
            read.append(location(part))
        except ValueError as error:
            raise ValueError(f"address number {number}: {error}") from None
    if any(each.through for each in read):
        raise ValueError(
            "an address with +sentinel or +cluster must be the only one: it has all its hosts, as h1,h2,h3"
        )
    return tuple(read)


def public_address(text: str) -> str:
    """What may be shown of an address, or of a list: scheme, host, port and database, or the path of a socket.

    Never what stands before an ``@``, and no query. What cannot be read without doubt is shown as ``redis://…``.
    """
    return ", ".join(_public(part) for part in _parts(text))


@lru_cache(64)  # the service asks twice for each request without keys
def is_loopback(host: str) -> bool:
    """Whether a host name or address is one of this machine alone, by what is written there."""
    name = host.strip("[]").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def location(text: str) -> Location:
    """One address. Raises ``ValueError`` with a sentence that names no part of it."""
    start = _START.match(text)
    if start is None:
        raise ValueError(f"it must begin with {ALLOWED}")
    scheme, through = start[1].lower(), (start[2] or "").lower()
    own_user = scheme == "unix" and text.endswith(OWN_USER)
    login, place, path, query = _cut(text[start.end() :].removesuffix(OWN_USER if own_user else ""))
    options = _options(query, _LOGIN | _TLS if scheme == "rediss" else _LOGIN)
    username, _, password = login.partition(":")
    where = _READ[through or scheme](place, path)
    if "db" in options:
        where["db"] = _database(options["db"])
    if through == "cluster" and where.pop("db"):
        raise ValueError(
            "its database must be 0: a cluster has no other; write redis+cluster://h1:6379,h2,h3"
        )
    return Location(
        scheme=scheme,
        own_user=own_user,
        username=_decoded(username) or options.get("username", ""),
        password=_decoded(password) or options.get("password", ""),
        tls={name: _tls(name, value) for name, value in options.items() if name in _TLS},
        **where,
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN.split(text.strip()) if part.strip()] or [""]


def _public(text: str) -> str:
    try:
        web = _WEB.match(text)
        if web is None:
            return str(location(text))
        _, place, _, _ = _cut(text[web.end() :])
    except ValueError:
        return "redis://…"
    shown = place if _is_place(place) else "…"
    return f"{web[1].lower()}://{shown}"  # without the path: providers put tokens there


def _cut(body: str) -> tuple[str, str, str, str]:
    """Login, host and port, path, query. With an ``@`` behind the host the end of the login is ambiguous."""
    authority = re.split(r"[/?#]", body, maxsplit=1)[0]
    rest = body[len(authority) :]
    if "@" in rest or "#" in rest:
        raise ValueError(f"it cannot be read without a doubt: {ENCODE}")
    login, _, place = authority.rpartition("@")
    path, _, query = rest.partition("?")
    return login, place, path, query


def _host(place: str, path: str) -> dict[str, Any]:
    host, port = _read_place(place or "localhost")
    number = path.removeprefix("/")
    return {"host": host, "port": port, "db": _database(number) if number else None}


def _sentinels(place: str, path: str) -> dict[str, Any]:
    _, name, *number = [*path.split("/"), ""] if path else ["", ""]
    if not _NAME.fullmatch(name) or len(number) > 2:
        raise ValueError(
            f"its Sentinels cannot be read: write redis+sentinel://h1:26379,h2,h3/name/number; {ENCODE}"
        )
    db = _database(number[0]) if number and number[0] else None
    return {"through": "sentinel", "hosts": _hosts(place), "service": name, "db": db}


def _cluster(place: str, path: str) -> dict[str, Any]:
    number = path.removeprefix("/")
    return {"through": "cluster", "hosts": _hosts(place), "db": _database(number) if number else None}


def _hosts(place: str) -> tuple[Place, ...]:
    return tuple(_read_place(host.strip()) for host in place.split(","))


def _read_place(place: str) -> Place:
    found = _PLACE.fullmatch(place)
    if found is None or not _is_place(place):
        raise ValueError(f"its host and port cannot be read: write redis://host:port/number; {ENCODE}")
    return found["host"], int(found["port"]) if found["port"] else None


def _written(place: Place) -> str:
    host, port = place
    return host if port is None else f"{host}:{port}"


def _is_place(place: str) -> bool:
    found = _PLACE.fullmatch(place)
    return found is not None and 0 < int(found["port"] or 1) <= _LAST_PORT


def _socket(place: str, path: str) -> dict[str, Any]:
    if place or len(path) < 2:
        raise ValueError(f"it names no socket: write unix:///path/of/the/socket; {ENCODE}")
    _decoded(path)
    return {"path": path}


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"its database must be a whole number, as in redis://host:6379/0; {ENCODE}")
    return int(text)


def _options(query: str, known: frozenset[str]) -> dict[str, str]:
    found = {}
    for option in query.split("&") if query else ():
        name, _, value = option.partition("=")
        if name not in known:  # may be a part of a password with an `&`, so no error names it
            allowed = ", ".join(sorted(known))
            raise ValueError(f"its query has an unknown option: there are {allowed}; `&` is written %26")
        found[name] = _decoded(value)  # a `+` is a `+`: in a password it is no space
    return found


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"its percent-encoding is not of UTF-8: {ENCODE}") from None


def _tls(name: str, value: str) -> str | bool:
    if name == "ssl_check_hostname":
        if value.lower() not in _TRUE:
            raise ValueError("its ssl_check_hostname must be true or false")
        return _TRUE[value.lower()]
    if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
        raise ValueError("its ssl_cert_reqs must be none, optional or required")
    return value


_READ: Final = {"redis": _host, "rediss": _host, "unix": _socket, "sentinel": _sentinels, "cluster": _cluster}
"""What stands behind the login, by the scheme, or by whom it is asked for."""

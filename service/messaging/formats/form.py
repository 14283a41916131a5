"""A form: how one kind of provider takes messages, answers, and tells what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import orjson

from ..delivery import DeliveryState

Kind = Literal["taken", "sender", "message", "again", "lost"]
"""What an answer is about: see ``provider``."""
ID: Final = 256
"""Characters of the longest id that is kept, far above a UUID; a truncated id would be a wrong one."""


class Call(NamedTuple):
    """A call to a provider."""

    url: str
    body: bytes
    headers: dict[str, str]


class Meaning(NamedTuple):
    """What an answer means: its kind, and the id that the provider gave the message."""

    kind: Kind
    provider_id: str | int | None = None


class Incoming(NamedTuple):
    """What a provider sent to us: ``url`` as it was asked for from outside."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Report(NamedTuple):
    """What became of a message, by the key that we gave it, or the id that the provider did."""

    key: str | None
    provider_id: str | None
    state: DeliveryState
    reason: str = ""


class Heard(NamedTuple):
    """A message of a contact to us."""

    sender: str
    text: str
    workspace: str | int | float | None = None


@dataclass(frozen=True)
class Address:
    """The address of a provider: ``base`` without login, options and name."""

    url: str
    """As it was written, without its name."""
    base: str
    user: str
    password: str
    options: dict[str, str]
    name: str

    @classmethod
    def of(cls, url: str) -> Address:
        """That of an address as people write it."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
        return cls(url.partition("#")[0], base, *login, dict(parse_qsl(parts.query)), unquote(parts.fragment))


class Form(ABC):
    """One form of providers; one for each provider of a process."""

    knows_keys: ClassVar[bool] = False
    """Whether it takes our keys, so that a message that comes twice under one is sent once, and can be asked after."""

    def __init__(self, address: Address, path: str, secret: str, public_url: str) -> None:
        self.address, self.path, self.secret, self.public_url = address, path, secret, public_url

    @abstractmethod
    def call(self, message: dict[str, Any], key: str) -> Call:
        """The call that hands over a message, as ``sms`` makes it, under our key for it."""

    @abstractmethod
    def meaning(self, status: int, body: bytes) -> Meaning:
        """What an answer means, with the begin of its body."""

    def question(self, key: str) -> Call | None:  # noqa: ARG002  # for those who can be asked
        """The call that asks after a message by our key; None where a provider cannot be asked."""
        return None

    @abstractmethod
    def is_genuine(self, incoming: Incoming) -> bool:
        """Whether it was this provider that sent something."""

    @abstractmethod
    def read(self, incoming: Incoming) -> Report | Heard | None:
        """What it says; None for what is of no matter here. Raises ``ValueError`` with what cannot be read."""


def kind_of(status: int) -> Kind:
    """The kind of an answer by its status; see ``provider``."""
    if 200 <= status < 300:
        return "taken"
    if status in (401, 403, 407):
        return "sender"
    if status in (502, 504):  # a gateway gave up on what stands behind it
        return "lost"
    return "message" if 400 <= status < 500 and status not in (408, 425, 429) else "again"


def document(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one where it is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def id_in(found: Any) -> str | int | None:
    """An id that can be kept; None for what is none."""
    if isinstance(found, str):
        return found if found and len(found) <= ID else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None

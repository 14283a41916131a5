"""What is read out of replies that have a form of their own: rows of pairs, INFO, CLIENT LIST, HELLO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


def pairs(row: Sequence[Any]) -> dict[bytes, Any]:
    """A row in which names and values alternate, as XINFO and HELLO answer."""
    return dict(zip(row[::2], row[1::2], strict=False))


def scores(reply: Sequence[bytes]) -> dict[str, bytes]:
    """Members with their scores. A name that is not text is a stranger's, and is carried along all the same."""
    return {name_in(member): score for member, score in zip(reply[::2], reply[1::2], strict=True)}


def name_in(raw: bytes) -> str:
    """A name of a worker, which whoever joins a group chooses freely."""
    return raw.decode("utf-8", "surrogateescape")


def raw_name(name: str) -> bytes:
    """The same as the server has it."""
    return name.encode("utf-8", "surrogateescape")


def info_in(text: object) -> dict[str, str]:
    """What INFO says, by name; empty when it is not what INFO says."""
    if not isinstance(text, bytes):
        return {}
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def product_of(info: dict[str, str]) -> tuple[str, str]:
    """Name and version of a server by what INFO says."""
    name = "Valkey" if "valkey_version" in info else "Redis"
    return name, info.get("valkey_version") or info.get("redis_version", "0")


def clients_in(listed: bytes) -> list[dict[str, str]]:
    """The lines of CLIENT LIST, each a field by its name."""
    lines = listed.decode("utf-8", "replace").splitlines()
    return [dict(field.split("=", 1) for field in line.split() if "=" in field) for line in lines if line]


class Greeting(NamedTuple):
    """What one is by its reply to HELLO; empty where it does not say."""

    mode: str = ""
    """``standalone``, ``cluster`` or ``sentinel``."""
    is_replica: bool = False


def greeting_in(hello: object) -> Greeting:
    """What is read of it."""
    told = pairs(hello if isinstance(hello, list) else [])
    return Greeting(told.get(b"mode", b"").decode(), told.get(b"role") in (b"replica", b"slave"))

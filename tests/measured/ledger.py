"""The judgement over a delivery: what the provider's ledger holds, against what was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from bench.figures import percentile

from .texts import WORKSPACE, Message

TICK: Final = 0.001
"""Seconds: due times are whole milliseconds."""


class Call(NamedTuple):
    """One call the provider received; ``at`` is in seconds since the epoch."""

    key: str | None
    at: float
    body: dict[str, Any]


@dataclass(slots=True)
class Judgement:
    """Message numbers by breach, and counts."""

    missing: list[int] = field(default_factory=list)
    altered: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    other_key: list[int] = field(default_factory=list)
    """Sent more than once under more than one key."""
    needless: list[int] = field(default_factory=list)
    """Sent more than once although their job was not running at the kill."""
    unknown: int = 0
    """Calls that belong to no message."""
    calls: int = 0
    repeats: int = 0
    late: list[float] = field(default_factory=list)
    """Milliseconds that each delayed message came after its due time."""

    @property
    def breaches(self) -> dict[str, int]:
        """How often each promise was broken."""
        return {
            "missing": len(self.missing), "altered": len(self.altered), "early": len(self.early),
            "repeated under another key": len(self.other_key),
            "repeated though not running at the kill": len(self.needless),
            "calls of no message": self.unknown,
        }  # fmt: skip

    def lateness(self) -> str:
        """For people: how late the delayed ones came."""
        if not self.late:
            return "no message was delayed"
        median, tail = percentile(self.late, 0.5), percentile(self.late, 0.99)
        return f"median {median:.1f} ms, p99 {tail:.1f} ms, max {max(self.late):.1f} ms"


def read(file: Path) -> list[Call]:
    """The calls of a ledger file, in the order they came."""
    calls = []
    for line in file.read_bytes().splitlines():
        call = orjson.loads(line)
        at = datetime.fromisoformat(call["received_at"]).timestamp()
        calls.append(Call(call["idempotency_key"], at, call["body"]))
    return calls


def judge(
    messages: Iterable[Message], keys: dict[int, str], calls: list[Call], at_kill: set[str], *, error: float
) -> Judgement:
    """Compare. ``keys`` is each message's key, ``at_kill`` those of the jobs the killed worker held.

    ``error`` is how far the two clocks may disagree, in seconds.
    """
    judgement = Judgement(calls=len(calls))
    by_contact: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_contact[str(call.body.get("contactId"))].append(call)
    for message in messages:
        _judge_one(judgement, message, by_contact.pop(message.contact, []), keys, at_kill, error)
    judgement.unknown = sum(map(len, by_contact.values()))
    return judgement


def _judge_one(
    judgement: Judgement, message: Message, calls: list[Call], keys: dict[int, str], at_kill: set[str],
    error: float,
) -> None:  # fmt: skip
    number = message.number
    if not calls:
        judgement.missing.append(number)
        return
    if any(not _equal(message, call.body) for call in calls):
        judgement.altered.append(number)
    if {call.key for call in calls} != {keys.get(number)}:
        judgement.other_key.append(number)
    if len(calls) > 1:
        judgement.repeats += len(calls) - 1
        if keys.get(number) not in at_kill:
            judgement.needless.append(number)
    if message.delay is not None:
        late = min(call.at for call in calls) - message.due
        judgement.late.append(late * 1000)
        if late < -(TICK + error):
            judgement.early.append(number)


def _equal(message: Message, body: dict[str, Any]) -> bool:
    """Nothing but the four fields, and the text equal byte by byte."""
    return body == {
        "to": message.to, "message": body.get("message"), "contactId": message.contact,
        "workspaceId": WORKSPACE,
    } and str(body.get("message")).encode() == message.line  # fmt: skip

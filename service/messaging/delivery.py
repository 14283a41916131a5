"""Deliveries: what is known of each message beyond this service, in records under its idempotency key.

state       means
---------   ---------------------------------------------------------------------------
sending     a provider is being asked, or was when the worker, or its answer, was lost
unknown     nobody could tell whether the provider took it: a person or a report does
sent        the provider took it
failed      the provider did not take it, or could not deliver it
delivered   the provider says that the recipient has it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from streamq import App, Entry, RecordConflict

from ..clock import now

KEPT: Final = 3 * 86_400
"""Seconds for which a message that is not known to be sent is remembered, and where reports come any."""
SENT_KEPT: Final = 3_600
"""Seconds for which a sent one is where no reports come: its job may be run again until its outcome is written."""
EARLY_KEPT: Final = 3_600
"""Seconds for which a report waits that came before the answer with the id it tells of."""
UNKNOWN_KEPT: Final = 30 * 86_400
"""Seconds for which an unknown one is: a month, in which somebody looks."""
MOST: Final = 10_000_000
"""Messages that are remembered at a time."""


class DeliveryState(StrEnum):
    """Where a message is beyond this service; see the table above."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"

    @property
    def rank(self) -> int:
        """Reports come in any order: a state makes way for those of a higher rank alone."""
        return list(DeliveryState).index(self)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of a message. ``at`` is in seconds since the epoch: when it was given to the provider."""

    state: DeliveryState
    channel: str
    provider: str
    workspace: str | int | float
    at: float
    provider_id: str | int | None = None
    reason: str = ""

    def packed(self) -> list[Any]:
        """As a record keeps it."""
        return [
            self.state, self.channel, self.provider, self.workspace, round(self.at, 3), self.provider_id, self.reason,
        ]  # fmt: skip

    @classmethod
    def of(cls, entry: Entry) -> Delivery:
        """That of a record."""
        state, *more = entry.value
        return cls(DeliveryState(state), *more)

    @property
    def given_at(self) -> datetime:
        """When it was given to the provider."""
        return datetime.fromtimestamp(self.at, now().tzinfo)


Change = Callable[[Delivery | None], Delivery | None]
"""What a delivery becomes; None to leave it."""


class Deliveries:
    """The deliveries of an app. ``reports`` says whether providers tell what became of messages.

    Every method raises ``Unavailable`` when the server cannot be reached.
    """

    def __init__(self, app: App, *, reports: bool) -> None:
        self._records = app.records("deliveries", limit=MOST)
        self._ids = app.records("provider-ids", limit=MOST)
        self._unknown = app.records("unknown-deliveries", limit=MOST)
        self._reports = reports

    async def begin(self, key: str, delivery: Delivery) -> Delivery | int:
        """Note that a provider is asked, and return the version of that; where the message was given to one before,
        only return what is known."""
        while True:
            try:
                return (await self._records.put(key, delivery.packed(), lifetime=KEPT, version=0)).version
            except RecordConflict:
                if found := await self.get(key):
                    return found

    async def get(self, key: str) -> Delivery | None:
        """What is known of a message."""
        entry = await self._records.get(key)
        return None if entry is None else Delivery.of(entry)

    async def get_many(self, keys: Sequence[str]) -> list[Delivery | None]:
        """The same of several messages."""
        found = await self._records.get_many(keys) if keys else []
        return [None if entry is None else Delivery.of(entry) for entry in found]

    async def put(self, key: str, delivery: Delivery) -> int:
        """Note what is so whatever was known before: a provider is asked again. Returns the version of that."""
        return (await self._records.put(key, delivery.packed(), lifetime=KEPT)).version

    async def forget(self, key: str) -> None:
        """No provider has it: the next attempt is a first one."""
        await self._records.delete(key)

    async def move(self, key: str, change: Change) -> Delivery | None:
        """Change what is known, by one of many at a time. Returns it as it is then, None where nothing changed."""
        while True:
            entry = await self._records.get(key)
            new = change(None if entry is None else Delivery.of(entry))
            if new is None:
                return None
            version = 0 if entry is None else entry.version
            try:
                await self._records.put(
                    key, new.packed(), lifetime=self._lifetime(new.state), version=version
                )
            except RecordConflict:
                continue
            return new

    async def ended(self, key: str, outcome: Delivery, version: int) -> Delivery:
        """Note the outcome of a call that began with that version. What a report said since then stays."""
        moved = outcome
        try:
            lifetime = self._lifetime(outcome.state)
            await self._records.put(key, outcome.packed(), lifetime=lifetime, version=version)
        except RecordConflict:
            moved = await self.move(key, lambda known: better(known, outcome)) or outcome
        if outcome.provider_id is None or not self._reports:
            return moved
        early = await self._named(id_of(outcome.provider, outcome.provider_id), key)
        if early is None:
            return moved
        return await self.move(key, lambda known: better(known, told_of(known or outcome, *early))) or moved

    async def _named(self, name: str, key: str) -> tuple[DeliveryState, str] | None:
        """Note whose id it is. Returns the report that came before, if one did."""
        if await self._ids.add(name, key, lifetime=KEPT):
            return None
        entry = await self._ids.get(name)
        await self._ids.put(name, key, lifetime=KEPT)
        return _early_in(entry)

    async def key_of(self, name: str, state: DeliveryState, reason: str) -> str | None:
        """The key of the message with that id of a provider; where none is known yet, the report is kept for it."""
        while True:
            entry = await self._ids.get(name)
            if entry is not None and isinstance(entry.value, str):
                return entry.value
            before = _early_in(entry)
            if before is not None and before[0].rank >= state.rank:
                return None
            try:
                version = 0 if entry is None else entry.version
                await self._ids.put(name, [state, reason], lifetime=EARLY_KEPT, version=version)
            except RecordConflict:
                continue
            return None

    # -- those of which nobody knows -------------------------------------------------------------------------

    async def hold(self, key: str, delivery: Delivery) -> None:
        """Keep it as unknown, and in the list of these."""
        await self._unknown.put(key, delivery.packed(), lifetime=UNKNOWN_KEPT)
        await self.move(key, lambda known: better(known, replace(delivery, state=DeliveryState.UNKNOWN)))

    async def unknown(self, after: Entry | None = None, *, limit: int = 100) -> list[Entry]:
        """A page of those that are unknown, the longest ones first: see ``Records.list``."""
        return await self._unknown.list(after, limit=limit)

    async def count_unknown(self) -> int:
        """How many they are."""
        return await self._unknown.size()

    async def known(self, key: str) -> bool:
        """Take it from that list. Returns whether it was in it: of several who settle it one is told so."""
        return await self._unknown.delete(key)

    def _lifetime(self, state: DeliveryState) -> float:
        if state is DeliveryState.UNKNOWN:
            return UNKNOWN_KEPT
        return KEPT if self._reports or state is DeliveryState.SENDING else SENT_KEPT


def better(known: Delivery | None, told: Delivery) -> Delivery | None:
    """What is known after something was told: None where it was known, or better. Whoever knows the id of the
    provider keeps it."""
    if known is None:
        return told
    if told.state.rank > known.state.rank:
        return replace(told, provider_id=known.provider_id if told.provider_id is None else told.provider_id)
    if known.provider_id is None and told.provider_id is not None:
        return replace(known, provider_id=told.provider_id)
    return None


def told_of(known: Delivery, state: DeliveryState, reason: str) -> Delivery:
    """What a report says of a delivery."""
    return replace(known, state=state, reason=reason)


def _early_in(entry: Entry | None) -> tuple[DeliveryState, str] | None:
    if entry is None or isinstance(entry.value, str):
        return None
    state, reason = entry.value
    return DeliveryState(state), reason


def id_of(provider: str, provider_id: str | int) -> str:
    """The name of an id of a provider among all."""
    return f"{provider} {provider_id}"[:500]

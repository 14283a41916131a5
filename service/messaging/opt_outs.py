"""Opt-outs: who wants no more messages. A contact says so by a word such as STOP, or by the link of an e-mail.

An opt-out is of an address (a number, an address of e-mail) on a channel, or of a contact of a workspace on all
channels; and for all workspaces, or for those that are named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from streamq import App, Entry, Fail, RecordConflict

from ..json_text import encoded

STOP: Final = frozenset({
    "stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "optout", "opt out", "revoke", "arret",
    "stopp",
})  # fmt: skip
START: Final = frozenset({"start", "unstop", "optin", "opt in"})
"""What carriers and providers understand so."""
ALL: Final = "*"
"""In the place of a workspace: all of them."""
FOR: Final = 3_650 * 86_400
"""Seconds: ten years."""
MOST: Final = 10_000_000


class Withheld(Fail):
    """A message that is not to go out."""


class OptOuts:
    """Those of an app. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, app: App) -> None:
        self._records = app.records("opt-outs", limit=MOST)

    async def add(self, who: str, workspace: Any = ALL, *, why: str = "") -> None:
        """Note that ``who``, a subject as below, wants no more messages of a workspace."""
        await self._change(who, lambda before: {**before, str(workspace): why})

    async def remove(self, who: str, workspace: Any = ALL) -> bool:
        """Note that ``who`` wants messages again; of all workspaces, also of those that were named before."""

        def without(before: dict[str, str]) -> dict[str, str]:
            return (
                {}
                if workspace == ALL
                else {name: why for name, why in before.items() if name != str(workspace)}
            )

        return await self._change(who, without)

    async def _change(self, who: str, change: Callable[[dict[str, str]], dict[str, str]]) -> bool:
        """Change what is noted, one of many at a time. Returns whether that changed anything."""
        while True:
            entry = await self._records.get(who)
            before: dict[str, str] = {} if entry is None else dict(entry.value)
            after, version = change(before), 0 if entry is None else entry.version
            if after == before:
                return False
            try:
                if after:
                    await self._records.put(who, after, lifetime=FOR, version=version)
                else:
                    await self._records.delete(who, version=version)
            except RecordConflict:
                continue
            return True

    async def get(self, who: str) -> dict[str, str]:
        """The workspaces of which ``who`` wants none, ``*`` for all, and how each came to be."""
        entry = await self._records.get(who)
        return {} if entry is None else dict(entry.value)

    async def list(self, after: Entry | None = None, *, limit: int = 100) -> list[Entry]:
        """A page of them: see ``Records.list``."""
        return await self._records.list(after, limit=limit)

    async def check(self, whos: Iterable[str], workspace: Any) -> None:
        """Raise ``Withheld`` where one of them wants no message of this workspace."""
        for entry in await self._records.get_many(list(whos)):
            if entry is not None and not entry.value.keys().isdisjoint((ALL, str(workspace))):
                raise Withheld("the recipient has opted out of messages")

    async def heard(
        self, whos: Iterable[str], text: str, workspace: Any = ALL
    ) -> Literal["stop", "start", None]:
        """Obey a word that a contact sent. Returns which it was."""
        word = text.strip().strip(".!\"'").strip().casefold()
        for who in whos:
            if word in STOP:
                await self.add(who, workspace, why="said so")
            elif word in START:
                await self.remove(who, workspace)
        return "stop" if word in STOP else "start" if word in START else None


def address(channel: str, recipient: str) -> str:
    """The subject of an address on a channel, which may have any characters: a name has printable ones alone."""
    named = "".join(each if each.isprintable() else " " for each in recipient.lower())
    return f"{channel} {named.strip()}"[:500]


def contact(workspace: Any, contact_id: str) -> str:
    """The subject of a contact, whose id may have any length and characters."""
    return f"contact {hashlib.sha256(encoded([str(workspace), contact_id])).hexdigest()}"

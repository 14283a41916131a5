"""The scripts, run by EVALSHA; a server that lost one is sent it again. (``script_text`` makes their texts.)"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.keys import Keys
from streamq.redis.link import Link, NoScript, translate
from streamq.redis.script_text import ScriptText


class Script:
    """One script of ``lua/``."""

    __slots__ = ("_keys", "_name", "_sha", "_text")

    def __init__(self, name: str) -> None:
        made = ScriptText(name)
        self._name, self._keys, self._text = name, made.keys, made.text.encode()
        self._sha = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def on(self, keys: Keys, **others: str | Sequence[str]) -> tuple[str, ...]:
        """The keys of a call, in order: those of a queue, and in ``others`` those that are the script's own."""
        return tuple(self._in_order(keys, others))

    def _in_order(self, keys: Keys, others: dict[str, str | Sequence[str]]) -> Iterator[str]:
        for name in self._keys:
            found = others.get(name.strip(".")) or getattr(keys, name)
            if isinstance(found, str):
                yield found
            else:
                yield from found

    def command(self, keys: Sequence[str], arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The EVALSHA of a call, for sending several at once."""
        return (b"EVALSHA", self._sha, len(keys), *keys, *arguments)

    def in_full(self, keys: Sequence[str], arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The EVAL of a call, for one that is too rare or too short to need its hash."""
        return (b"EVAL", self._text, len(keys), *keys, *arguments)

    async def run(self, link: Link, keys: Sequence[str], *arguments: Any) -> Any:
        """Call the script and return its raw reply."""
        return await self.answer(link, (await link.batch(self.command(keys, arguments)))[0], keys, arguments)

    async def run_each(self, link: Link, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Several calls (keys and arguments) in one round trip, each one's error in the place of its reply.

        Raises only when the server cannot be reached: what is wrong with one call's keys stops no other.
        """
        answers: list[Any] = []
        replies = await link.batch(*[self.command(*call) for call in calls])
        for reply, call in zip(replies, calls, strict=True):
            try:
                answers.append(await self.answer(link, reply, *call))
            except StreamqError as error:
                answers.append(error)
        return answers

    async def answer(self, link: Link, reply: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a sent ``command`` came to: its reply, or the call repeated in full when the script was unknown."""
        if not isinstance(reply, Exception):
            return reply
        error = translate(reply, sent=True)
        if isinstance(error, NoScript):
            return await link.call(*self.in_full(keys, arguments))
        raise error from reply


ENQUEUE: Final = Script("enqueue")
FETCH: Final = Script("fetch")
CLAIM_SUSPECT: Final = Script("claim_suspect")
SETTLE: Final = Script("settle")
PROMOTE: Final = Script("promote")
RECLAIM: Final = Script("reclaim")
RELEASE: Final = Script("release")
REQUEUE: Final = Script("requeue")
LOCATE: Final = Script("locate")
LOOK: Final = Script("look")
AUDIT: Final = Script("audit")
POSTPONE: Final = Script("postpone")
PRUNE: Final = Script("prune")
PRUNE_FAILED: Final = Script("prune_failed")
ADOPT: Final = Script("adopt")
WALK: Final = Script("walk")
BACK: Final = Script("back")
JOIN: Final = Script("join")
NOTE: Final = Script("note")
CLAIM: Final = Script("claim")
VACATE: Final = Script("vacate")
VOUCH: Final = Script("vouch")
INTRODUCE: Final = Script("introduce")
FORGET: Final = Script("forget")
RIGHTS: Final = Script("rights")

"""The scripts, loaded from ``lua/`` and run by EVALSHA; a server that lost one is sent it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.redis.link import Link, NoScript, translate

_FOLDER: Final = files("streamq") / "redis" / "lua"


class Script:
    """One script: its text is the first line of its file (the flags), what it uses of its ``parts``, and the rest."""

    __slots__ = ("_sha", "_text")

    def __init__(self, name: str, *parts: str) -> None:
        flags, _, body = _read(name).partition("\n")
        self._text = "\n".join((flags, *_used("\n\n".join(map(_read, parts)), body), body)).encode()
        self._sha = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

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


def _used(parts: str, body: str) -> list[str]:
    """The blocks of ``parts`` (what stands between empty lines) that the body needs, and what those need in turn.

    A function costs the server as much each time it is defined as a look at a key, so a call that uses two of twenty
    defines those two. What a block needs stands above it, as Lua wants it.
    """
    words, used = _words(body), list[str]()
    for block in reversed(parts.split("\n\n")):
        if words.intersection(_DEFINED.findall(block)):
            words |= _words(block)
            used.append(block.strip("\n"))
    return used[::-1]


def _words(code: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"--.*", "", code)))


_DEFINED: Final = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)


@cache
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


ENQUEUE: Final = Script("enqueue", "_prelude")
FETCH: Final = Script("fetch", "_prelude", "_pages")
CLAIM_SUSPECT: Final = Script("claim_suspect")
SETTLE: Final = Script("settle", "_prelude")
PROMOTE: Final = Script("promote", "_prelude", "_headers", "_pages")
RECLAIM: Final = Script("reclaim", "_prelude", "_headers")
RELEASE: Final = Script("release", "_prelude", "_headers")
REQUEUE: Final = Script("requeue", "_prelude", "_headers", "_places")
LOCATE: Final = Script("locate", "_prelude", "_headers", "_places")
LOOK: Final = Script("look", "_prelude", "_headers", "_places")
AUDIT: Final = Script("audit", "_prelude", "_headers", "_pages")
POSTPONE: Final = Script("postpone", "_prelude")
PRUNE: Final = Script("prune", "_prelude")
PRUNE_FAILED: Final = Script("prune_failed", "_prelude")
ADOPT: Final = Script("adopt", "_prelude")
WALK: Final = Script("walk", "_prelude")
BACK: Final = Script("back", "_prelude")
JOIN: Final = Script("join")
NOTE: Final = Script("note")
CLAIM: Final = Script("claim")
VACATE: Final = Script("vacate")
VOUCH: Final = Script("vouch")
INTRODUCE: Final = Script("introduce")
FORGET: Final = Script("forget")
RIGHTS: Final = Script("rights")

"""Requests that may come again, such as those over HTTP with a header ``Idempotency-Key``: which is at work, and the
first answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, cast

from streamq.redis import scripts
from streamq.store.access import Access

REMEMBERED_MS: Final = 86_400_000
"""How long a key and its answer are kept: a day, in which whoever lost an answer has asked again."""
LEASE_MS: Final = 3_000
"""How long a claim holds unless it is renewed: so long after a kill does the same request wait."""

Claim = tuple[Literal["begun", "other", "running", "answered"], bytes | int]


class Requests:
    """Commands: a request is claimed and answered, and its jobs are added once, however often it comes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def claim(self, queue: str, name: str, fingerprint: bytes, token: str) -> Claim:
        """Begin a request, or go on with it. With ``running`` comes for how many ms, with ``answered`` the answer."""
        said = await self._run(
            scripts.CLAIM_REQUEST, queue, name, fingerprint, token, LEASE_MS, REMEMBERED_MS
        )
        return cast("Claim", (said[0].decode(), said[1] if len(said) > 1 else b""))

    async def end(
        self,
        queue: str,
        name: str,
        token: str,
        outcome: Literal["answer", "again", "forget"],
        answer: bytes = b"",
    ) -> None:
        """Keep the answer, or let the same be asked again; or forget that it was asked."""
        await self._run(scripts.ANSWER_REQUEST, queue, name, token, outcome, answer, REMEMBERED_MS)

    async def _run(
        self, script: scripts.Script, queue: str, name: str, *arguments: bytes | str | int
    ) -> list[bytes]:
        keys = self._access.keys(queue)
        async with self._access.pool.links() as links:
            said: list[bytes] = await script.run(
                links.of(queue), script.on(keys, request=keys.request + name), *arguments
            )
            return said

    async def known_in(self, names: Sequence[str], name: str) -> list[str]:
        """Those of these partitions that remember the job of a request: one at most."""
        commands = [("EXISTS", self._access.keys(each).producer + name) for each in names]
        async with self._access.pool.links() as links:
            found = await links.commands(names, commands)
        return [each for each, said in zip(names, found, strict=True) if said == 1]

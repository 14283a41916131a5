"""Requests that may come again: made once, and answered alike each time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final, Unpack

from streamq.client.client import Client
from streamq.errors import OutcomeUnknown, StreamqError, Unavailable, UsageError
from streamq.job import Job, job_of
from streamq.model.envelope import New
from streamq.model.shown import as_given
from streamq.noun_errors import RequestReused, RequestRunning
from streamq.options import EnqueueOptions
from streamq.settings import Durability
from streamq.store.requests import LEASE_MS

RENEWED: Final = LEASE_MS / 3000
"""Seconds between two renewals of a claim: it outlives two that are late."""

Made = Callable[[str, str, Any, EnqueueOptions], tuple[New, Durability | None]]
"""A job for a queue, of its task, its payload and the options of enqueue, and how durable it must be."""


_KINDS: Final = {str: "text", bytes: "bytes, as b'…' or text.encode()"}


class Once:
    """Made by ``app.once``: a request under its key."""

    def __init__(self, client: Client, made: Made, queue: str, name: str, token: str) -> None:
        self._client, self._made, self._queue, self._name, self._token = (
            client,
            made,
            queue,
            name,
            token,
        )
        self.answer: bytes | None = None
        """The first answer, when the request has come before and was answered: nothing is to be done again."""
        self._sent = self._kept = False

    async def enqueue(self, task: str, payload: Any = None, **options: Unpack[EnqueueOptions]) -> Job[Any]:
        """Send the job of the request; where it was sent before, the same handle comes again and nothing is added.

        Options and errors are those of ``App.enqueue``. A request has one job.
        """
        new, durability = self._made(self._queue, task, payload, options)
        self._sent = True
        try:
            with self._client.sending(self._queue, (new,)) as (jobs, tell):
                answer = await self._client.send_once(self._queue, self._name, jobs[0], durability)
                tell([answer])
        except OutcomeUnknown:
            raise
        except StreamqError:
            self._sent = False
            raise
        return job_of(answer, self._queue, task, self._client, None)

    async def keep(self, answer: bytes) -> None:
        """Keep the answer for a day: whoever asks again under the key gets it."""
        await self._client.store.requests.end(self._queue, self._name, self._token, "answer", answer)
        self._kept = True

    async def _renew(self, fingerprint: bytes) -> None:
        while True:
            await asyncio.sleep(RENEWED)
            with contextlib.suppress(Unavailable):  # another may go on with it then, and does the same
                await self._client.store.requests.claim(self._queue, self._name, fingerprint, self._token)

    async def _leave(self) -> None:
        """Without an answer: it may be asked again, and otherwise too where nothing was sent."""
        if not self._kept and self.answer is None:
            outcome: Any = "again" if self._sent else "forget"
            with contextlib.suppress(Unavailable):  # its claim ends by itself
                await self._client.store.requests.end(self._queue, self._name, self._token, outcome)


@asynccontextmanager
async def once(
    client: Client, made: Made, queue: str, key: str, body: bytes, caller: bytes
) -> AsyncIterator[Once]:
    """A request under its key, which is claimed for the block."""
    for what, given, kind in (("key", key, str), ("body", body, bytes), ("caller", caller, bytes)):
        if not isinstance(given, kind):
            raise UsageError(f"{what}={as_given(given)} is not possible: use {_KINDS[kind]}")
    name = sha256(b"%b\n%b" % (caller.hex().encode(), key.encode("utf-8", "surrogatepass"))).hexdigest()
    fingerprint, token = sha256(body).hexdigest().encode(), secrets.token_hex(8)
    claim, more = await client.store.requests.claim(queue, name, fingerprint, token)
    if claim == "other":
        raise RequestReused(key)
    if claim == "running":
        raise RequestRunning(key, min(1.0, int(more) / 1000))
    request = Once(client, made, queue, name, token)
    if claim == "answered":
        request.answer = bytes(more) if not isinstance(more, int) else b""
        yield request
        return
    renewing = asyncio.create_task(request._renew(fingerprint), name="request")  # noqa: SLF001
    try:
        yield request
    finally:
        renewing.cancel()
        await request._leave()  # noqa: SLF001

"""A provider that is an HTTP service: it takes a message as JSON, and delivers it.

answer                    what follows
-----------------------   ------------------------------------------------------------------------
2xx                       done; its ``id`` is kept
401, 403, 407             about the sender, not about the message: see ``hold``
408, 425, 429, 5xx        again after its Retry-After, within a bound and never before the backoff
any other 4xx             failed: the provider will not take it, ever
1xx, 3xx, no answer       again after the task's backoff
a TLS peer not trusted    about the provider: see ``hold``
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import aiohttp
import orjson

from streamq import Backoff, Fail, Notes, Retry

from ..json_text import encoded
from .caller import ANSWER, EXCERPT, Caller, begin_of
from .hold import Hold
from .retry_after import asked_wait
from .secrets import Secrets
from .spread import Spread

_ID: Final = 256
"""Characters of the longest id that is kept, far above a UUID; a truncated id would be a wrong one."""
Kind = Literal["taken", "sender", "message", "again"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a delivered message leaves as its result."""

    status: int
    provider_id: str | int | None


class ProviderError(Exception):
    """The provider did not take the message this time; another attempt may succeed."""


class Answer(NamedTuple):
    """The provider's answer, with the beginning of its body."""

    status: int
    retry_after: tuple[str, ...]
    body: bytes


class Endpoint(NamedTuple):
    """Where messages of a channel go by HTTP, and how patient we are with it. Times are in seconds."""

    channel: str
    variable: str
    """The setting that has its address, as people write it."""
    base: str
    """Its address; empty for none."""
    path: str
    """Below the address."""
    timeout: float
    backoff: float
    longest_wait: float
    """The longest Retry-After that is honoured."""


class HttpProvider(Caller):
    """One per channel and worker process; its connections are shared by all attempts and opened at the first."""

    def __init__(self, endpoint: Endpoint, notes: Notes) -> None:
        self._endpoint = endpoint
        self._url = _below(endpoint.base, endpoint.path) if endpoint.base else None
        self._secrets = Secrets(endpoint.base)
        self._backoff = Backoff(base=endpoint.backoff)
        self._spread = Spread()
        remedy = f"Correct {endpoint.variable} (its login stands before the @), and restart the workers"
        self.hold = Hold(endpoint.channel, remedy, self._spread, notes)
        super().__init__(timeout=aiohttp.ClientTimeout(total=endpoint.timeout))

    async def send(self, body: dict[str, Any], *, key: str, attempt: int) -> Receipt:
        """Deliver one message, in its attempt number ``attempt`` (from 1).

        Raises ``Retry``, ``Fail``, ``Snooze`` or ``ProviderError`` as the table above says.
        """
        if self._url is None:
            raise ProviderError(
                f"no provider of {self._endpoint.channel} is configured: set {self._endpoint.variable}"
            )
        with self.hold.passage():
            answer = await self._asked(self._url, encoded(body), key)
            kind = kind_of(answer.status)
            if kind == "taken":
                self.hold.taken(key)
                return Receipt(answer.status, self._id_in(answer.body))
            said = self._said(answer)
            if kind == "sender":
                self.hold.refused(key, said, sure=answer.status != 403)
        if kind == "message":
            raise Fail(said)
        asked = asked_wait(answer.retry_after)
        if asked is None:
            raise ProviderError(said)
        raise Retry(said, after=self._wait(asked, attempt))

    async def _asked(self, url: str, body: bytes, key: str) -> Answer:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Accept-Encoding": "identity"}
        try:
            async with self._opened().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                said = _unpacked(await begin_of(response), response.headers.get("Content-Encoding"))
                return Answer(response.status, tuple(response.headers.getall("Retry-After", ())), said)
        except TimeoutError:
            raise ProviderError(f"no answer from the provider within {self._endpoint.timeout:g} s") from None
        except aiohttp.ClientSSLError as error:
            self.hold.close(f"no trusted connection to the provider: {self._words(error)}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # `from None`: the traceback would show the cause, whose text may contain the address with its login
            raise ProviderError(f"cannot reach the provider: {self._words(error)}") from None

    def _wait(self, asked: float, attempt: int) -> float:
        """Seconds to wait. The backoff is a floor: a provider that asks for 0 would spend all attempts at once."""
        own = self._backoff.seconds(attempt, random.random())  # noqa: S311  # jitter, not a secret
        return self._spread.longer(max(own, min(asked, self._endpoint.longest_wait)))

    def _said(self, answer: Answer) -> str:
        words = self._secrets.words(answer.body.decode("utf-8", "replace"), EXCERPT)
        redirect = ", a redirect, and none is followed" if 300 <= answer.status < 400 else ""
        return f"the provider answered {answer.status}{redirect}" + (f": {words}" if words else "")

    def _words(self, error: BaseException) -> str:
        return self._secrets.words(str(error) or type(error).__name__, EXCERPT)

    def _id_in(self, body: bytes) -> str | int | None:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        found = document.get("id") if isinstance(document, dict) else None
        if isinstance(found, str):
            return found if len(found) <= _ID and self._secrets.hidden(found) == found else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None


def kind_of(status: int) -> Kind:
    """The kind of an answer by its status; see the table above."""
    if 200 <= status < 300:
        return "taken"
    if status in (401, 403, 407):
        return "sender"
    return "message" if 400 <= status < 500 and status not in (408, 425, 429) else "again"


def _below(url: str, path: str) -> str:
    """Where messages go: the path below the address, before its query."""
    base, mark, query = url.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    """The beginning of a compressed body: the request asks for none, but some providers compress all the same."""
    if (encoding or "identity").strip().lower() == "identity":
        return body
    try:
        return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, ANSWER)
    except zlib.error:
        return b""

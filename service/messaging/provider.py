"""A provider that is an HTTP service: it takes a message in its form, and delivers it.

answer                    what follows
-----------------------   ------------------------------------------------------------------------
2xx                       done; its id is kept
401, 403, 407             about the sender, not about the message: see ``hold``
408, 425, 429, 5xx        again after its Retry-After, within a bound and never before the backoff
any other 4xx             failed: the provider will not take it, ever
1xx, 3xx, no connection   again after the task's backoff
502, 504, no answer       nobody knows whether it was taken: see ``outgoing``
a TLS peer not trusted    about the provider: see ``hold``
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp

from streamq import Backoff, Fail, Notes, Retry

from .caller import ANSWER, EXCERPT, Caller, begin_of
from .formats.form import Address, Call, Form
from .formats.plain import Plain
from .hold import Hold
from .retry_after import asked_wait
from .secrets import Secrets
from .spread import Spread


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a delivered message leaves as its result."""

    status: int
    provider_id: str | int | None
    provider: str = ""
    """Its name, where there are several."""


class ProviderError(Exception):
    """The provider did not take the message this time; another attempt may succeed."""


class AnswerLost(ProviderError):
    """Nobody knows whether the provider took the message."""


class Answer(NamedTuple):
    """The provider's answer, with the beginning of its body."""

    status: int
    retry_after: tuple[str, ...]
    body: bytes


class Endpoint(NamedTuple):
    """How messages of a channel go by HTTP, and how patient we are. Times are in seconds."""

    channel: str
    variable: str
    """The setting that has the address, as people write it."""
    timeout: float
    backoff: float
    longest_wait: float
    """The longest Retry-After that is honoured."""


class HttpProvider(Caller):
    """One per provider and worker process; its connections are shared by all attempts and opened at the first."""

    def __init__(self, endpoint: Endpoint, form: Form, notes: Notes) -> None:
        self._endpoint, self.form, self.name = endpoint, form, form.address.name
        self._secrets = Secrets(form.address.url)
        self._backoff = Backoff(base=endpoint.backoff)
        self._spread = Spread()
        remedy = f"Correct {endpoint.variable} (its login stands before the @), and restart the workers"
        subject = f"{endpoint.channel} {self.name}".strip()
        self.hold = Hold(subject, remedy, self._spread, notes)
        super().__init__(timeout=aiohttp.ClientTimeout(total=endpoint.timeout))

    async def send(self, body: dict[str, Any], *, key: str, attempt: int) -> Receipt:
        """Deliver one message, in its attempt number ``attempt`` (from 1).

        Raises ``Retry``, ``Fail``, ``Snooze``, ``AnswerLost`` or ``ProviderError`` as the table above says.
        """
        if not self.form.address.url:
            raise ProviderError(
                f"no provider of {self._endpoint.channel} is configured: set {self._endpoint.variable}"
            )
        with self.hold.passage():
            answer = await self._asked("POST", self.form.call(body, key))
            kind, provider_id = self.form.meaning(answer.status, answer.body)
            if kind == "taken":
                self.hold.taken(key)
                return Receipt(answer.status, self._safe(provider_id), self.name)
            said = self._said(answer)
            if kind == "sender":
                self.hold.refused(key, said, sure=answer.status != 403)
        if kind == "message":
            raise Fail(said)
        if kind == "lost":
            raise AnswerLost(said)
        asked = asked_wait(answer.retry_after)
        if asked is None:
            raise ProviderError(said)
        raise Retry(said, after=self._wait(asked, attempt))

    async def ask(self, key: str) -> Receipt | None:
        """Whether the provider has taken a message under our key: None where it has none.

        Raises ``ProviderError`` where it does not say.
        """
        question = self.form.question(key)
        if question is None:
            raise ProviderError("this provider cannot be asked what it has taken")
        answer = await self._asked("GET", question)
        if answer.status == 404:
            return None
        if not 200 <= answer.status < 300:
            raise ProviderError(f"asked for the message, {self._said(answer)}")
        return Receipt(answer.status, self._safe(self.form.meaning(200, answer.body).provider_id), self.name)

    async def _asked(self, method: str, call: Call) -> Answer:
        headers = {**call.headers, "Accept-Encoding": "identity"}
        try:
            async with self._opened().request(
                method, call.url, data=call.body or None, headers=headers, allow_redirects=False
            ) as response:
                said = _unpacked(await begin_of(response), response.headers.get("Content-Encoding"))
                return Answer(response.status, tuple(response.headers.getall("Retry-After", ())), said)
        except aiohttp.ClientSSLError as error:
            self.hold.close(f"no trusted connection to the provider: {self._words(error)}")
        except aiohttp.ClientConnectorError as error:
            # `from None`: the traceback would show the cause, whose text may contain the address with its login
            raise ProviderError(f"cannot reach the provider: {self._words(error)}") from None
        except TimeoutError as error:
            kind = ProviderError if isinstance(error, aiohttp.ConnectionTimeoutError) else AnswerLost
            raise kind(f"no answer from the provider within {self._endpoint.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLost(f"no answer of the provider can be read: {self._words(error)}") from None
        except ValueError as error:
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

    def _safe(self, found: str | int | None) -> str | int | None:
        """An id that has none of our secrets in it."""
        return found if not isinstance(found, str) or self._secrets.hidden(found) == found else None


def plain(url: str, path: str) -> Form:
    """The form of a provider that has no other one."""
    return Plain(Address.of(url), path, "", "")


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    """The beginning of a compressed body: the request asks for none, but some providers compress all the same."""
    if (encoding or "identity").strip().lower() == "identity":
        return body
    try:
        return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, ANSWER)
    except zlib.error:
        return b""

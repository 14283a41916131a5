"""Callbacks: what a job has made is sent to the address that asked for it, signed as Standard Webhooks
says, and tried for hours.

answer                   what follows
----------------------   --------------------------------------------------------
2xx                      done
410                      failed: nobody wants it any more
429, 5xx with a time     again after its Retry-After, within a bound
anything else, nothing   again after the task's backoff
a forbidden address      failed: it will not be another one
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from streamq import Backoff, Fail, Retry

from ..json_text import encoded
from .caller import EXCERPT, Caller, begin_of
from .provider import ProviderError
from .reach import Forbidden, is_odd, public_only
from .retry_after import asked_wait
from .secrets import Secrets
from .signature import key_of, signed


class Rules(NamedTuple):
    """Where callbacks may go. Times are in seconds."""

    hosts: frozenset[str]
    """Those alone; empty for all."""
    private: bool
    """Whether also addresses of our own network."""
    timeout: float
    backoff: float
    longest_wait: float
    secret: str
    """As ``whsec_…``; empty for no signature."""


def wrong_address(url: str, rules: Rules) -> str:
    """Why a callback cannot go there, as a sentence; empty where it can. Names are looked up when it is sent."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if any(char.isspace() for char in url):
        return "must not have blanks in it"
    if parts.scheme not in ("http", "https") or not host:
        return "must be an address of http or https"
    if parts.username is not None or parts.password is not None:
        return "must not have a login in it"
    return _wrong_host(host, rules)


def _wrong_host(host: str, rules: Rules) -> str:
    if is_odd(host):
        return f"leads to {host}, which is not allowed: write an address as four numbers with points between"
    if rules.hosts and host.lower() not in rules.hosts:
        return f"leads to {host}, which is none of the hosts that callbacks may go to"
    return ""


class Callbacks(Caller):
    """One per worker process; its connections are shared by all attempts."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._backoff = rules, Backoff(base=rules.backoff)
        self._key = key_of(rules.secret, "callbacks")
        super().__init__(
            connector={"socket_factory": None if rules.private else public_only},
            timeout=aiohttp.ClientTimeout(total=rules.timeout),
        )

    async def send(self, url: str, body: dict[str, Any], *, key: str, attempt: int) -> int:
        """Deliver one, and return the status. Raises ``Retry``, ``Fail`` or ``ProviderError``."""
        if wrong := wrong_address(url, self._rules):
            raise Fail(f"the callback {wrong}")
        status, asked, said = await self._asked(url, encoded(body), key)
        if 200 <= status < 300:
            return status
        words = f"the callback was answered {status}" + (f": {said}" if said else "")
        if status == 410:
            raise Fail(f"{words}; it is gone for good")
        if asked is None:
            raise ProviderError(words)
        own = self._backoff.seconds(attempt, random.random())  # noqa: S311  # jitter, not a secret
        raise Retry(words, after=max(own, min(asked, self._rules.longest_wait)))

    async def _asked(self, url: str, body: bytes, key: str) -> tuple[int, float | None, str]:
        secrets = Secrets(url)
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            **signed(self._key, key, body),
        }
        try:
            async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                said = secrets.words((await begin_of(answer)).decode("utf-8", "replace"), EXCERPT)
                return answer.status, asked_wait(tuple(answer.headers.getall("Retry-After", ()))), said
        except TimeoutError:
            raise ProviderError(f"no answer to the callback within {self._rules.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden):
                raise Fail(f"the callback leads to an address that is not allowed: {error}") from None
            words = secrets.words(str(error) or type(error).__name__, EXCERPT)
            raise ProviderError(f"cannot reach the callback: {words}") from None

"""The HTTP service that delivers text messages.

answer                what follows
-------------------   --------------------------------------------------------
2xx                   done; its ``id`` is kept
429, 503              again after its Retry-After, within a bound
any other 4xx         failed: the provider will not take it, ever
3xx, 5xx, no answer   again after the task's backoff
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final

import aiohttp
import orjson

from streamq import Fail, Retry

from ..clock import now
from ..settings import ServiceSettings

PROVIDER: Final = "sms_provider"
"""Where a worker keeps its provider in ``app.state``."""

_EXCERPT: Final = 300
_ANSWER: Final = 65_536


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a delivered message leaves as its result."""

    status: int
    provider_id: str | int | None


class ProviderError(Exception):
    """The provider did not take the message this time; another attempt may succeed."""


class SmsProvider:
    """One per worker process; its connections are shared by all attempts and opened at the first."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._url = f"{settings.sms_api_url}/send-sms" if settings.sms_api_url else None
        self._timeout = settings.sms_timeout
        self._longest_wait = settings.sms_max_retry_after
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> SmsProvider:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, body: dict[str, Any], *, key: str) -> Receipt:
        """Deliver one message. Raises ``Retry``, ``Fail`` or ``ProviderError`` as the table above says."""
        if self._url is None:
            raise ProviderError("no SMS provider is configured: set SMS_API_URL")
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        try:
            async with self._opened().post(
                self._url, data=orjson.dumps(body), headers=headers, allow_redirects=False
            ) as response:
                answer = await _at_most(response, _ANSWER)
                status, retry_after = response.status, response.headers.get("Retry-After")
        except TimeoutError:
            raise ProviderError(f"no answer from the provider within {self._timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise ProviderError(f"cannot reach the provider: {str(error) or type(error).__name__}") from error
        self._judge(status, retry_after, answer)
        return Receipt(status, _provider_id(answer))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The worker's concurrency is the bound; a second one here would eat into the time limit.
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=self._timeout)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    def _judge(self, status: int, retry_after: str | None, answer: bytes) -> None:
        if 200 <= status < 300:
            return
        excerpt = " ".join(answer.decode("utf-8", "replace").split())[:_EXCERPT]
        reason = f"the provider answered {status}" + (f": {excerpt}" if excerpt else "")
        if status in (429, 503):
            wait = parse_retry_after(retry_after)
            raise Retry(reason, after=None if wait is None else min(wait, self._longest_wait))
        if 400 <= status < 500:
            raise Fail(reason)
        raise ProviderError(reason)


def parse_retry_after(value: str | None) -> float | None:
    """Seconds to wait, from seconds or an HTTP date (RFC 9110); None when absent or unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now()).total_seconds())


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    answer = b""
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) >= limit:
            break
    return answer[:limit]


def _provider_id(answer: bytes) -> str | int | None:
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, (str, int)) else None

"""Signatures of messages between servers, as Standard Webhooks 1.0 says: HMAC-SHA256 of id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from streamq import ConfigurationError

from ..clock import now

_PREFIX: Final = "whsec_"
TOLERANCE: Final = 300
"""Seconds that a message may be old, or the clock of its sender ahead: a copy of it is refused later."""


def key_of(secret: str, what: str) -> bytes:
    """The bytes of a secret, whose padding may be missing; ``what`` is its use. Raises ``ConfigurationError`` for what
    is none."""
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if secret and not key:
        raise ConfigurationError(f"the secret of {what} must be base64 after {_PREFIX}")
    return key


def signed(key: bytes, message_id: str, body: bytes) -> dict[str, str]:
    """The headers of a message that goes out now; without a key they have no signature."""
    moment = str(int(now().timestamp()))
    headers = {"webhook-id": message_id, "webhook-timestamp": moment}
    if key:
        headers["webhook-signature"] = _signature(key, message_id, moment, body)
    return headers


def is_signed(key: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a message was signed with the key, within the last minutes."""
    message_id, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isascii() or not moment.isdigit() or abs(now().timestamp() - int(moment[:12])) > TOLERANCE:
        return False
    expected = _signature(key, message_id, moment, body).encode()
    given = headers.get("webhook-signature", "").split(" ")[:8]  # of several secrets, while one is replaced
    return any(hmac.compare_digest(expected, each.encode("utf-8", "replace")) for each in given)


def _signature(key: bytes, message_id: str, moment: str, body: bytes) -> str:
    text = f"{message_id}.{moment}.".encode("utf-8", "surrogateescape") + body
    return f"v1,{base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()}"

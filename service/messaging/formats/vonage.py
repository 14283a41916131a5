"""The form of Vonage's SMS API: ``vonage+https://KEY:SECRET@host?from=NAME&signature=SIGNATURE_SECRET``.

Messages go to ``/sms/json`` as JSON that has the login. An answer is 200 even where a message was refused: each of its
parts has a status, and 0 means taken. Reports come as JSON with a ``sig``: HMAC-SHA256 under the signature secret, over
the sorted fields, as its documentation of signed messages says.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final
from urllib.parse import quote

from ...json_text import encoded
from ..delivery import DeliveryState
from .form import Call, Form, Heard, Incoming, Kind, Meaning, Report, document, id_in, kind_of

_KINDS: Final[dict[str, Kind]] = {
    "0": "taken", "1": "again", "5": "again", "10": "again",  # too many at once; its own trouble; too many binds
    "4": "sender", "8": "sender", "9": "sender", "14": "sender", "32": "sender",  # login, barred, no credit, signature
}  # fmt: skip
_STATES: Final = {
    "accepted": DeliveryState.SENT, "buffered": DeliveryState.SENT, "delivered": DeliveryState.DELIVERED,
    "failed": DeliveryState.FAILED, "rejected": DeliveryState.FAILED, "expired": DeliveryState.FAILED,
    "deleted": DeliveryState.FAILED,
}  # fmt: skip
_REFERENCE: Final = 100
"""Characters of a reference of ours that it takes."""


class Vonage(Form):
    """See above."""

    def call(self, message: dict[str, Any], key: str) -> Call:
        body = {
            "api_key": self.address.user, "api_secret": self.address.password,
            "from": self.address.options.get("from", ""), "to": message["to"].removeprefix("+"),
            "text": message["message"], "type": "text" if message["message"].isascii() else "unicode",
            "client-ref": key[:_REFERENCE],
        }  # fmt: skip
        if self.public_url:
            body["callback"] = f"{self.public_url}/api/v1/webhooks/sms/{quote(self.address.name)}"
        return Call(f"{self.address.base}/sms/json", encoded(body), {"Content-Type": "application/json"})

    def meaning(self, status: int, body: bytes) -> Meaning:
        parts = document(body).get("messages")
        if kind_of(status) != "taken" or not isinstance(parts, list) or not parts:
            kind = kind_of(status)
            return Meaning("lost" if kind == "taken" else kind)  # it took something, and does not say what
        kinds = [_KINDS.get(str(each.get("status")), "message") for each in parts if isinstance(each, dict)]
        refused = next((kind for kind in kinds if kind != "taken"), None)
        if refused is not None:
            # Where some parts are on their way, sending all of them again would repeat these.
            return Meaning("message" if "taken" in kinds else refused)
        return Meaning("taken", id_in(parts[0].get("message-id")) if kinds else None)

    def is_genuine(self, incoming: Incoming) -> bool:
        secret, fields = self.address.options.get("signature", ""), document(incoming.body)
        given = str(fields.pop("sig", "")).lower().encode("utf-8", "replace")
        values = {name: str(value).replace("&", "_").replace("=", "_") for name, value in fields.items()}
        text = "".join(f"&{name}={value}" for name, value in sorted(values.items()))
        made = hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
        return bool(secret) and hmac.compare_digest(made.encode(), given)

    def read(self, incoming: Incoming) -> Report | Heard | None:
        said = document(incoming.body)
        if "text" in said and "msisdn" in said and "status" not in said:
            return Heard(f"+{said['msisdn']}", str(said["text"]))
        provider_id, state = id_in(said.get("messageId")), _STATES.get(str(said.get("status")))
        if provider_id is None:
            raise ValueError("it has no messageId")
        if state is None:  # unknown: nothing that was not known
            return None
        code, key = str(said.get("err-code", "0")), said.get("client-ref")
        reason = f"error {code}" if state is DeliveryState.FAILED else ""
        return Report(key if isinstance(key, str) and key else None, str(provider_id), state, reason)

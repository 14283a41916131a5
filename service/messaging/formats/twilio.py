"""The form of Twilio's Programmable Messaging: ``twilio+https://SID:TOKEN@host?from=NUMBER``.

Messages go to ``/2010-04-01/Accounts/SID/Messages.json`` as a form, with a login; ``from`` is a number, or the id of a
messaging service, which begins with MG. Reports, and messages of contacts, are forms signed by HMAC-SHA1 under the
token, over the address that was called and the sorted fields, each value of a field once, as its documentation of
``X-Twilio-Signature`` says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from ..delivery import DeliveryState
from .form import Address, Call, Form, Heard, Incoming, Meaning, Report, document, id_in, kind_of

_STATES: Final = {
    "sent": DeliveryState.SENT, "delivered": DeliveryState.DELIVERED, "read": DeliveryState.DELIVERED,
    "undelivered": DeliveryState.FAILED, "failed": DeliveryState.FAILED, "canceled": DeliveryState.FAILED,
}  # fmt: skip


class Twilio(Form):
    """See above."""

    def __init__(self, address: Address, path: str, secret: str, public_url: str) -> None:
        super().__init__(address, path, secret, public_url)
        name = address.options.get("from", "")
        self._sender = {"MessagingServiceSid" if name.startswith("MG") else "From": name}
        self._url = f"{address.base}/2010-04-01/Accounts/{quote(address.user)}/Messages.json"
        login = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._login = f"Basic {login}"

    def call(self, message: dict[str, Any], key: str) -> Call:
        form = {"To": message["to"], "Body": message["message"], **self._sender}
        if self.public_url:
            name = quote(self.address.name)
            form["StatusCallback"] = f"{self.public_url}/api/v1/webhooks/sms/{name}?{urlencode({'key': key})}"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": self._login}
        return Call(self._url, urlencode(form).encode(), headers)

    def meaning(self, status: int, body: bytes) -> Meaning:
        return Meaning(kind_of(status), id_in(document(body).get("sid")))

    def is_genuine(self, incoming: Incoming) -> bool:
        given = incoming.headers.get("X-Twilio-Signature", "").encode("utf-8", "replace")
        text = incoming.url + "".join(f"{name}{value}" for name, value in sorted(set(_pairs(incoming))))
        made = hmac.new(self.address.password.encode(), text.encode(), hashlib.sha1).digest()
        return bool(self.address.password) and hmac.compare_digest(base64.b64encode(made), given)

    def read(self, incoming: Incoming) -> Report | Heard | None:
        fields = _fields(incoming)
        status = fields.get("MessageStatus", fields.get("SmsStatus", ""))
        if status in ("received", "") and "From" in fields and "Body" in fields:
            return Heard(fields["From"], fields["Body"])
        sid = fields.get("MessageSid", "")
        if not sid:
            raise ValueError("it has no MessageSid")
        state = _STATES.get(status)
        if state is None:  # queued, sending: nothing that was not known
            return None
        code = fields.get("ErrorCode", "")
        return Report(incoming.query.get("key"), sid, state, f"error {code}" if code else "")


def _fields(incoming: Incoming) -> dict[str, str]:
    return dict(_pairs(incoming))


def _pairs(incoming: Incoming) -> list[tuple[str, str]]:
    return parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True)

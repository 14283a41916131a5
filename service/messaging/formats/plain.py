"""The plain form: JSON, as the predecessor's provider took it, and reports signed as Standard Webhooks says.

    POST {address}/send-sms           to, message, contactId, workspaceId and the metadata; Idempotency-Key
    GET  {address}/send-sms/{key}     200 where a message under that key was taken, with its id; 404 where none was

A report has an ``id`` (the provider's) or an ``idempotency_key``, a ``status``, and perhaps an ``error``. A message
of a contact has ``type`` inbound, ``from`` and ``text``, and perhaps a ``workspaceId``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import quote

from ...json_text import encoded
from ..delivery import DeliveryState
from ..signature import is_signed, key_of
from .form import Address, Call, Form, Heard, Incoming, Meaning, Report, document, id_in, kind_of

_STATES: Final = {
    "sent": DeliveryState.SENT, "accepted": DeliveryState.SENT, "queued": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED, "read": DeliveryState.DELIVERED,
    "failed": DeliveryState.FAILED, "undelivered": DeliveryState.FAILED, "rejected": DeliveryState.FAILED,
    "expired": DeliveryState.FAILED,
}  # fmt: skip


class Plain(Form):
    """See above."""

    knows_keys: ClassVar[bool] = True

    def __init__(self, address: Address, path: str, secret: str, public_url: str) -> None:
        super().__init__(address, path, secret, public_url)
        self._key = key_of(secret, "reports")

    def call(self, message: dict[str, Any], key: str) -> Call:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return Call(_below(self.address.url, self.path), encoded(message), headers)

    def meaning(self, status: int, body: bytes) -> Meaning:
        return Meaning(kind_of(status), id_in(document(body).get("id")))

    def question(self, key: str) -> Call | None:
        return Call(_below(self.address.url, f"{self.path}/{quote(key, safe='')}"), b"", {})

    def is_genuine(self, incoming: Incoming) -> bool:
        return bool(self._key) and is_signed(self._key, incoming.headers, incoming.body)

    def read(self, incoming: Incoming) -> Report | Heard | None:
        said = document(incoming.body)
        if not said:
            raise ValueError("the body must be a JSON object")
        if said.get("type") == "inbound":
            return _heard(said)
        state = _STATES.get(str(said.get("status", "")).lower())
        key, provider_id = said.get("idempotency_key"), id_in(said.get("id"))
        if state is None:
            raise ValueError(f"its status must be one of {', '.join(_STATES)}")
        if not isinstance(key, str) and provider_id is None:
            raise ValueError("it must have an id or an idempotency_key")
        found = None if provider_id is None else str(provider_id)
        return Report(key if isinstance(key, str) else None, found, state, str(said.get("error") or "")[:300])


def _heard(said: dict[str, Any]) -> Heard:
    sender, text, workspace = said.get("from"), said.get("text"), said.get("workspaceId")
    if not isinstance(sender, str) or not isinstance(text, str):
        raise ValueError("a message of a contact must have from and text")  # noqa: TRY004  # of what was sent
    known = isinstance(workspace, str | int | float) and not isinstance(workspace, bool)
    return Heard(sender, text, workspace if known else None)


def _below(url: str, path: str) -> str:
    """Where messages go: the path below the address, before its query."""
    base, mark, query = url.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"

"""The link by which a reader of an e-mail ends it (RFC 8058): it says who and of which workspace, and is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import quote

import orjson

from ..json_text import encoded
from ..settings import ServiceSettings

PATH = "/unsubscribe"


class Link(NamedTuple):
    """How links are made: where this service is reached from outside, and the secret that signs them."""

    public_url: str
    secret: str

    def of(self, recipient: str, workspace: str) -> str:
        """That of a recipient."""
        said = base64.urlsafe_b64encode(encoded([recipient, workspace])).decode().rstrip("=")
        return f"{self.public_url}{PATH}/{quote(said)}.{self._mark(said)}"

    def read(self, token: str) -> tuple[str, str] | None:
        """The recipient and the workspace of a link; None for one that we have not made."""
        said, _, mark = token.rpartition(".")
        if not hmac.compare_digest(self._mark(said).encode(), mark.encode("utf-8", "replace")):
            return None
        recipient, workspace = orjson.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
        return recipient, workspace

    def _mark(self, said: str) -> str:
        made = hmac.new(self.secret.encode(), said.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made[:18]).decode()


def link_of(settings: ServiceSettings) -> Link | None:
    """How links are made; None where settings do not say."""
    secret = settings.secret("link_secret")
    return Link(settings.public_url.rstrip("/"), secret) if secret and settings.public_url else None

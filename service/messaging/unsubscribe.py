"""The link by which a reader of an e-mail ends it (RFC 8058): it says who and of which workspace, and is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ..json_text import encoded
from ..settings import ServiceSettings
from .fields import printable
from .headers import LONGEST

PATH = "/unsubscribe"


def _is_an_end(value: str) -> str:
    printable(value)
    parts = urlsplit(value) if value.isascii() and not set(value) & set(" <>[]") else urlsplit("")
    if not (parts.hostname if parts.scheme == "https" else parts.scheme == "mailto" and "@" in parts.path):
        raise PydanticCustomError("unsubscribe", "must be an address of https, or mailto")
    return value


End = Annotated[str, Field(max_length=LONGEST), AfterValidator(_is_an_end)]
"""Where a reader ends what he gets: a field of a message."""


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

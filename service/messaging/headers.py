"""Headers of a mail that mail programs read by their letters: they stand on one line, however long that is.

The library folds a header at 78 characters. It does so with words of RFC 2047 where there is no blank, and nobody
reads an address or an id from these.
"""

from __future__ import annotations

import hashlib
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from typing import Any, Final

LONGEST: Final = 900
"""Characters of the address in such a header: a line may have 998 (RFC 5322, 2.1.1)."""


class _Whole(UnstructuredHeader):
    """A header on one line."""

    name: str

    def fold(self, *, policy: Policy[Any]) -> str:
        """As it is."""
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> EmailPolicy[EmailMessage]:
    registry: Any = HeaderRegistry()
    for name in ("list-unsubscribe", "list-unsubscribe-post", "message-id"):
        registry.map_to_type(name, _Whole)
    made: EmailPolicy[EmailMessage] = SMTP.clone(header_factory=registry)
    return made


POLICY: Final = _policy()
"""How mails are written. Headers keep their kind whoever writes the mail out in the end."""


def message_id(key: str, domain: str) -> str:
    """That of a message by its idempotency key: the same on every attempt, by which mailboxes find a copy."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"

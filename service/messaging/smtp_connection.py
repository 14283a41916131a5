"""A connection to a mail server that knows when it began to hand a message over."""

from __future__ import annotations

from typing import Any

from aiosmtplib import SMTP, SMTPResponse


class Connection(SMTP):
    """As the library's own: it hands over from the command ``DATA`` on (RFC 5321, 3.3), and nothing before."""

    hands_over = False
    """Whether the server may have the present message."""

    async def data(self, message: str | bytes, /, **how: Any) -> SMTPResponse:
        """Send the message itself."""
        self.hands_over = True
        return await super().data(message, **how)

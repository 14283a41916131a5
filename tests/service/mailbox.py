# ruff: noqa: ARG002, N802  # the server calls its handlers by these names, with these arguments
"""A real mail server for tests: it keeps what it is sent, and refuses as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What came, and how the next is answered."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    """The same, as they came."""
    recipients: list[list[str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Recipients, and the answer that each gets."""
    answers: list[str] = field(default_factory=list)
    """To the next messages; then each is taken."""
    keeps_all: bool = False
    """Keep also those that are refused: the answer to them was a lie."""
    connections: int = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Each connection begins with it."""
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """A recipient."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A message."""
        answer = self.answers.pop(0) if self.answers else ""
        if answer and not self.keeps_all:
            return answer
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed = email.message_from_bytes(content, policy=email.policy.SMTPUTF8)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.raw.append(content)
        self.recipients.append(envelope.rcpt_tos)
        return answer or f"250 kept as {len(self.mails)}"


@contextlib.asynccontextmanager
async def mail_server(
    *, login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None, utf8: bool = True
) -> AsyncIterator[Mailbox]:
    """One on a free port of this machine; with a ``login`` it takes nothing without it; ``utf8`` is SMTPUTF8."""
    mailbox = Mailbox()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    more: dict[str, Any] = {}
    if login:
        more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}

    def serve() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a login without TLS: it comes from this machine
            return SMTP(mailbox, hostname="127.0.0.1", enable_SMTPUTF8=utf8, tls_context=tls, **more)

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    async with server:
        mailbox.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield mailbox
        server.close()
        await asyncio.sleep(0)  # its connections see that their ends are gone

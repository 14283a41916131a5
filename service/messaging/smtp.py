"""A provider of e-mail that speaks SMTP (RFC 5321): a few connections, kept for the next messages.

answer                                  what follows
-------------------------------------   --------------------------------------------------------------
250 for some recipients                 done; those that were refused are told, see ``Delivered``
4xx for all, or for the message         again after the task's backoff
5xx for all, or for the message         failed: it will not be taken, ever
5xx at the login, TLS not trusted       about us, not about the message: see ``hold``
no connection, or one that breaks or    again after the backoff
stalls before the message is sent
one that does so from then on           nobody knows whether the message was taken: see ``outgoing``
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from email.message import EmailMessage
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from streamq import ConfigurationError, Fail, Notes

from .hold import Hold
from .provider import AnswerLost, ProviderError, Receipt
from .secrets import Secrets
from .spread import Spread

if TYPE_CHECKING:
    from aiosmtplib import SMTPResponse

    from .smtp_connection import Connection

_EXCERPT: Final = 300
_IDLE: Final = 10
"""Connections that are kept open while nothing is sent: servers allow few of one client."""
_NOTHING: Final = "no answer in time"
"""What an error says that has no text: that of a time limit."""
_REMEDY: Final = "Correct SMTP_URL (its login stands before the @), and restart the workers"


class Delivered(NamedTuple):
    """What became of the recipients of a message: ``said`` is the server's answer."""

    said: str
    refused: dict[str, str]
    """Those that were refused for good, and why."""
    later: list[str]
    """Those that were refused for now."""


class Smtp:
    """One per worker process. ``url`` is ``smtp://login:password@host:587`` or ``smtps://…:465``; TLS is used by
    ``smtp`` where the server offers it, and required with ``?tls=required``.

    Raises ``ConfigurationError`` where the package is missing.
    """

    def __init__(self, url: str, timeout: float, notes: Notes) -> None:
        try:
            import aiosmtplib  # noqa: F401, PLC0415  # an extra: whoever sends e-mail by HTTP needs none
        except ImportError:
            raise ConfigurationError(
                "SMTP_URL needs the package aiosmtplib: install streamq[messaging]"
            ) from None
        parts = urlsplit(url)
        is_tls = parts.scheme == "smtps"
        self._how: dict[str, Any] = {
            "hostname": parts.hostname, "port": parts.port or (465 if is_tls else 587), "use_tls": is_tls,
            "start_tls": None if is_tls else True if "tls=required" in parts.query else None, "timeout": timeout,
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
        }  # fmt: skip
        self._secrets = Secrets(url)
        self._idle: deque[Connection] = deque()
        self.name = ""
        self.hold = Hold("email", _REMEDY, Spread(), notes)

    async def __aenter__(self) -> Smtp:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            self._idle.pop().close()

    async def send(
        self, message: EmailMessage, sender: str, recipients: Sequence[str], *, key: str
    ) -> Delivered:
        """Hand over one message. Raises ``Fail``, ``Snooze``, ``AnswerLost`` or ``ProviderError``, see above."""
        from aiosmtplib import SMTPException  # noqa: PLC0415  # as above

        with self.hold.passage():
            connection: Connection | None = None
            try:
                async with asyncio.timeout(self._how["timeout"]):  # the library has it for each step alone
                    connection = await self._connected()
                    connection.hands_over = False
                    refused, said = await self._handed_over(connection, message, sender, recipients)
            except (SMTPException, OSError, TimeoutError) as error:
                lost = AnswerLost if connection is not None and connection.hands_over else ProviderError
                raise self._verdict(error, key, lost) from None  # its text may repeat what we have sent
            self.hold.taken(key)
        told = {name: f"{answer.code} {self._words(answer.message)}" for name, answer in refused.items()}
        later = [name for name, answer in refused.items() if answer.code < 500]
        return Delivered(
            self._words(said), {name: why for name, why in told.items() if name not in later}, later
        )

    async def ask(self, _key: str) -> Receipt | None:
        """A mail server does not tell what it has taken. Raises ``ProviderError``."""
        raise ProviderError("a mail server cannot be asked what it has taken")

    async def _handed_over(
        self, connection: Connection, message: EmailMessage, sender: str, recipients: Sequence[str]
    ) -> tuple[dict[str, SMTPResponse], str]:
        if not sender.isascii() or not all(each.isascii() for each in recipients):
            self._check_letters(connection)
        try:
            done = await connection.send_message(message, sender=sender, recipients=list(recipients))
        except ValueError as error:  # the library looks at all addresses before it sends anything
            connection.close()
            raise Fail(f"no mail can be made of it: {self._words(str(error))}") from None
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return done

    def _check_letters(self, connection: Connection) -> None:
        """Raise ``Fail`` where the server takes no addresses with letters that are not ASCII (RFC 6531)."""
        if not connection.supports_extension("smtputf8"):
            self._keep(connection)
            raise Fail(
                "an address has letters before its @ that this mail server does not take, as it has no SMTPUTF8: "
                "nothing was sent; write the address in ASCII, or send by a mail server that has it"
            )

    async def _connected(self) -> Connection:
        from aiosmtplib import SMTPException  # noqa: PLC0415  # as above

        from .smtp_connection import Connection  # noqa: PLC0415  # as above

        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.noop()  # servers close what has been idle for a while
            except (SMTPException, OSError):
                connection.close()
            else:
                return connection
        connection = Connection(**self._how)
        try:
            await connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep(self, connection: Connection) -> None:
        if len(self._idle) < _IDLE and connection.is_connected:
            self._idle.append(connection)
        else:
            connection.close()

    def _verdict(self, error: Exception, key: str, lost: type[ProviderError]) -> Exception:
        """What an error says; ``lost`` where that is not the server's word. Raises ``Snooze`` or ``Fail`` where it is
        about us."""
        import aiosmtplib  # noqa: PLC0415  # as above

        said = self._words(str(getattr(error, "message", "") or error) or _NOTHING)
        if (
            isinstance(error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPSenderRefused)
            and error.code >= 500
        ):
            self.hold.refused(key, f"the mail server refuses us: {error.code} {said}", sure=True)
        if _is_untrusted(error):
            self.hold.close(f"no trusted connection to the mail server: {said}")
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            answers = "; ".join(
                f"{one.recipient}: {one.code} {self._words(one.message)}" for one in error.recipients
            )
            text = f"the mail server refuses all recipients: {answers}"
            return Fail(text) if all(one.code >= 500 for one in error.recipients) else ProviderError(text)
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500:
            return Fail(f"the mail server answered {error.code}: {said}")
        kind = ProviderError if isinstance(error, aiosmtplib.SMTPResponseException) else lost
        return kind(f"the mail server did not take it: {said}")

    def _words(self, text: str) -> str:
        # the library tells bytes that are no UTF-8 as halves of characters, which no JSON can hold
        return self._secrets.words(text.encode("utf-8", "replace").decode(), _EXCERPT)


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False

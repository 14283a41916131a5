"""Settings of messages are looked at when a role starts, not when the first message goes out."""

from __future__ import annotations

from streamq import ConfigurationError

from ..settings import ServiceSettings
from .addresses import sender_of
from .quiet_hours import QuietHours, zone_of
from .signature import key_of
from .sms import rates_of
from .workspace_table import check_table


def check_settings(settings: ServiceSettings) -> None:
    """Read all that tasks and routes read of them later. Raises ``ConfigurationError``, a sentence, for what cannot be.

    The text names a setting and has nothing of a secret in it.
    """
    key_of(settings.secret("callback_secret"), "callbacks, STREAMQ_CALLBACK_SECRET,")
    key_of(settings.secret("sms_report_secret"), "reports, STREAMQ_SMS_REPORT_SECRET,")
    rates_of(settings)
    check_table(settings)
    QuietHours.of(settings.quiet_hours, settings.quiet_zone)
    try:
        zone_of(settings.quiet_zone)
    except ValueError as error:
        raise ConfigurationError(f"STREAMQ_QUIET_ZONE: {error}") from None
    if settings.email_from:
        try:
            sender_of(settings.email_from)
        except ValueError as error:
            raise ConfigurationError(
                f"STREAMQ_EMAIL_FROM={settings.email_from!r} is no sender: {error} "
                "Write it as shop@example.com, or as Shop <shop@example.com>"
            ) from None
    elif settings.secret("smtp_url"):
        raise ConfigurationError("SMTP_URL is set, and nothing says who sends: set STREAMQ_EMAIL_FROM")
